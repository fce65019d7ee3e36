# make manual        man pages and zsh completion, made again from the program's own help and docs/reference/formats
.PHONY: manual
manual: all
	@BUILD=$(BUILD) sh docs/reference/manual/generate.sh docs/reference/manual
