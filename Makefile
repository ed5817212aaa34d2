# The commands of this project. `make run` and `make test` install what they miss.

.PHONY: run test bench lint prepare

run: ## Start everything on this machine
	@.ci/install-database
	cargo run --locked -- local

test: ## Formatting, lints, docs and all tests
	@.ci/install-database
	@.ci/test

bench: ## Measure (takes about five minutes; nothing else should run)
	@.ci/install-database
	cargo bench --locked

lint: ## What `make test` checks before the tests
	@.ci/lint

prepare: ## Check all SQL against a real database and write it to .sqlx
	@.ci/install-database
	@.ci/prepare
