"""How the admin writes dates: unambiguous, 24 hours, in the words of the language."""
