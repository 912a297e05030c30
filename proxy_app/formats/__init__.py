"""Wire formats as pure functions between provider JSON and `proxy_app.wire`.

One folder a format (`request`, `response`, `stream`, `errors`), never importing one another.
`exchange` composes two of them for one call. Nothing here does I/O, reads a clock or knows Django.
"""
