# make manual        the man page, made again from the program's own help
.PHONY: manual
manual: all
	@BUILD=$(BUILD) sh docs/manual/generate.sh >docs/manual/seam.1.new && mv docs/manual/seam.1.new docs/manual/seam.1
