# make manual        man pages and zsh completion, made again from the program's own help and docs/formats
.PHONY: manual
manual: all
	@BUILD=$(BUILD) sh docs/manual/generate.sh docs/manual
