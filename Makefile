# Every command lives in ./gatehouse, a POSIX shell script, so that a machine without make has them too.
# Options travel in ARGS: make test ARGS="-k journal"

COMMANDS := run demo key admin test check test-services test-browser test-clients bench lock clean help

.DEFAULT_GOAL := help
.PHONY: $(COMMANDS)

$(COMMANDS):
	@exec sh ./gatehouse $@ $(ARGS)
