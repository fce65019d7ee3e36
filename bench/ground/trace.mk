# make trace-bench   what tracing costs when it is off, against a build without it (TRACE=0), on the hottest loops
.PHONY: trace-bench
trace-bench:
	@$(MAKE) --no-print-directory build/bench_trace
	@$(MAKE) --no-print-directory TRACE=0 build-notrace/bench_trace
	@sh bench/ground/trace.sh build/bench_trace build-notrace/bench_trace
