# The commands of this project. `make run` and `make test` install what they miss.

.PHONY: run test test-browser test-mysql test-mariadb test-moto bench bench-large bench-stream lint lint-containers prepare deny sbom

run: ## Start everything on this machine
	@.ci/preflight
	@.ci/install-database
	cargo run --locked -- local

test: ## Formatting, lints, docs and all tests
	@.ci/preflight
	@.ci/install-database
	@.ci/install-browser
	@.ci/test
	@.ci/test-browser

test-browser: ## Only the stories that Chromium plays (installs it on Debian)
	@.ci/preflight
	@.ci/install-database
	@.ci/test-browser

test-mysql: ## The tests on the newest MySQL in Debian, unpacked into target/ (Debian, Ubuntu)
	@.ci/other-database mysql .ci/test

test-mariadb: ## The tests on the newest MariaDB in Debian
	@.ci/other-database mariadb .ci/test

test-moto: ## The lab's and the course's stories on another SNS, SQS and Kinesis, moto's server (needs Python 3)
	@.ci/moto cargo test --locked --test beanstock -- lab:: course::a_ stream::course::a_

bench: ## Measure (takes about five minutes; nothing else should run)
	@.ci/preflight
	@.ci/install-database
	cargo bench --locked

bench-large: ## Only the pages of a large café (takes about three minutes after the build)
	@.ci/preflight
	@.ci/install-database
	BENCH_ONLY=large cargo bench --locked --bench beanstock

bench-stream: ## Only the stream of stock movements (takes about a minute after the build)
	@.ci/preflight
	@.ci/install-database
	BENCH_ONLY=stream cargo bench --locked --bench beanstock

lint: ## What `make test` checks before the tests
	@.ci/lint

prepare: ## Check all SQL against a real database and write it to .sqlx
	@.ci/install-database
	@.ci/prepare

lint-containers: ## Check the container files and the templates in deploy/ (installs linters from PyPI)
	@.ci/containers

deny: ## Check licences, duplicates, sources and known vulnerabilities of all crates
	@.ci/deny

sbom: ## Write what the program is made of to target/beanstock.cdx.json
	@.ci/sbom
