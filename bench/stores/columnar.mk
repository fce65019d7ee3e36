# DuckDB is asked through its node binding: a script that runs when node and the package are here.
peers: peer-columnar-duckdb
.PHONY: peer-columnar-duckdb
peer-columnar-duckdb: bench/peers/columnar_duckdb.mjs
	@mkdir -p $(BUILD)/peers
	@if node -e "require('module').createRequire(process.cwd()+'/x.js').resolve('@duckdb/node-api')" >/dev/null 2>&1; then \
	  printf '#!/bin/sh\nexec node $(CURDIR)/bench/peers/columnar_duckdb.mjs "$$@"\n' > $(BUILD)/peers/columnar_duckdb && \
	  chmod +x $(BUILD)/peers/columnar_duckdb && echo 'peer columnar_duckdb: ready'; \
	else rm -f $(BUILD)/peers/columnar_duckdb; \
	  echo 'peer columnar_duckdb: absent, needs node and its package (npm install @duckdb/node-api; NODE_PATH is honoured)'; fi
