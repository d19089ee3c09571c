# Thin: every target is one command, which also runs without make (package.json's scripts, `npm run`).
# GNU make 3.81, POSIX sh. Variables on the command line (AT='Thu 18:00') reach the commands as environment
# variables, which make does by itself: no shell reads their values.

NODE = node_modules/node/bin/node
CLI = $(NODE) deploy/cli/main.ts
CONFIG = homelab/keepsake.yaml
PORT ?= 8080

help: ## this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { sub(/%/, "<app>", $$1); printf "  make %-20s  %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables: AT='Thu 18:00' or a name from the list; TO=place beside production; MODEL=name; FOR=2h; ALLOW=a,b overrides;"
	@echo "  YES=1 does not ask; APPS=a,b; GATEWAY=http://… and TOKEN_FILE=… another gateway; NAS=path;"
	@echo "  PORT=8080, CONFIG=homelab/keepsake.yaml and NATS_URL=nats://… of make up."
	@echo "More: make help-<command>, such as make help-restore"

setup: ## install what is missing: npm packages with Node 24, PostgreSQL, nats-server
	@sh deploy/local/setup.sh

setup-test:
	@sh deploy/local/setup.sh test

tools:
	@sh deploy/local/setup.sh tools

demo: setup ## a home lab in one folder: backed up, destroyed, restored, compared
	@exec $(NODE) deploy/local/demo/main.ts

up: setup ## start the gateway over that home lab, with its schedules, until Ctrl-C
	@exec $(NODE) deploy/local/demo/up.ts --config '$(CONFIG)' --port '$(PORT)'

setup-e2e:
	@sh deploy/local/setup.sh e2e

test: setup-test ## every test, with lint, types, formatting, unused code and import boundaries [E2E=no]
	@npm run --silent check
	@$(NODE) node_modules/vitest/vitest.mjs run --project "unit*"
	@[ '$(E2E)' = no ] || $(MAKE) --no-print-directory e2e

e2e: setup-e2e ## the tests on a real Kubernetes, which is built the first time, and on a real NFS export: Linux, as root
	@exec $(NODE) node_modules/vitest/vitest.mjs run --project cluster --project nfs

test-crash: setup ## the runs killed at every single step
	@npm run --silent test:crash

test-memory: setup ## the runners' memory with up to 4 GB
	@npm run --silent test:memory

bench: setup ## speed and memory against restic, borg, tar, rsync and others [ONLY= ROUNDS= SCALE= FOLDER=]
	@exec $(NODE) test/bench/main.ts --only '$(ONLY)' --rounds '$(ROUNDS)' --scale '$(SCALE)' --folder '$(FOLDER)'

check: tools ## lint, types, formatting, unused code and import boundaries
	@npm run --silent check

init-nas: tools ## mark a mounted export as the NAS: NAS=path
	@exec $(NODE) deploy/local/init-nas.ts

manifests: tools ## make deploy/kustomize anew, of deploy/keepsake.yaml
	@exec $(NODE) deploy/manifests/main.ts

backup-all: tools ## back up every app now
	@exec $(CLI) backup --all

backup-%: tools FORCE ## back up one app now
	@exec $(CLI) backup '$*'

render-%: tools FORCE ## render a map anew when its save changed, and back it up (Mapshot)
	@exec $(CLI) backup '$*'

list-%: tools FORCE ## what an app can go back to
	@exec $(CLI) list '$*'

restore-all: tools ## put every app's data back: shows the plan, asks [APPS= YES=]
	@exec $(CLI) restore-all

restore-%: tools FORCE ## put one app's data back: shows what, asks [AT= TO= MODEL= YES=]
	@exec $(CLI) restore '$*'

undo-restore-%: tools FORCE ## put back what the last restore replaced [YES=]
	@exec $(CLI) undo-restore '$*'

pin-%: tools FORCE ## keep a restore point for good: AT=
	@exec $(CLI) pin '$*'

unpin-%: tools FORCE ## leave it to the retention again: AT=
	@exec $(CLI) unpin '$*'

accept-%: tools FORCE ## take the app's present data for the right one, so that backups go on
	@exec $(CLI) accept '$*'

adopt: tools ## take over what another system has put on the NAS: read, proven, nothing moved
	@exec $(CLI) adopt --all

adopt-%: tools FORCE
	@exec $(CLI) adopt '$*'

cleanup-%: tools FORCE ## remove what nothing refers to any more (Mapshot)
	@exec $(CLI) cleanup '$*'

cancel-%: tools FORCE ## cancel the app's run in progress
	@exec $(CLI) cancel '$*'

scrub-%: tools FORCE ## read backups back from the NAS: what is due, or all [ALL=1]
	@exec $(CLI) scrub '$*'

drill-%: tools FORCE ## restore a backup into scratch space and compare it [AT=]
	@exec $(CLI) drill '$*'

pause-%: tools FORCE ## let nothing of an app run by itself, for an upgrade: FOR=2h
	@exec $(CLI) pause '$*'

resume-%: tools FORCE ## end the pause before its time
	@exec $(CLI) resume '$*'

status: tools ## what is saved since when, what runs, what waits
	@exec $(CLI) status

test-telegram: tools ## send one message, and say what Telegram answered
	@exec $(CLI) test-telegram

retry-parked: tools ## tell the events that were put aside
	@exec $(CLI) retry-parked

doctor: tools ## check gateway, functions, messages, token, NAS and tools; a cluster, too: CONFIG=deploy/keepsake.yaml
	@exec $(CLI) doctor

deploy: tools ## bring Keepsake onto the cluster of your kubeconfig, and prove it: CONFIG= [GATEWAY= YES=]
	@exec $(CLI) deploy

undeploy: tools ## take it away again; the NAS and the apps stay: CONFIG= [GATEWAY= YES=]
	@exec $(CLI) undeploy

help-%: tools FORCE
	@exec $(CLI) help '$*'

# A file that happens to be called backup-factorio must not make its target up to date.
FORCE:
.PHONY: help setup setup-test setup-e2e tools demo up test e2e test-crash test-memory bench check init-nas manifests backup-all restore-all adopt status test-telegram retry-parked doctor deploy undeploy FORCE
