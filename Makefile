# sidetail: see README.md. `make help` prints the targets that have a text behind ##, and these lines:
##
## BUILD=build         where objects go; each set of flags needs one of its own
## SANITIZE=1          with ASan and UBSan
## CC=cc               the compiler
## PREFIX=/usr/local   where install puts it, below DESTDIR
## FUZZ_SECONDS=60     how long fuzz runs
## TIDY="FILE..."      what clang-tidy looks at in lint; all of src where it is not set
VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
CC      ?= cc

PACKAGES := libevent_core libevent_extra libevent_openssl jansson rdkafka libpcre2-8 zlib libzstd openssl libxxhash
CFLAGS   ?= -O2 -g
LDFLAGS  ?= -Wl,--as-needed -Wl,-z,relro,-z,now
override CPPFLAGS += -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Iinclude -Isrc $(shell pkg-config --cflags $(PACKAGES))
override CFLAGS   += -std=gnu11 -Wall -Wextra -Werror -fPIE
LDLIBS   := $(shell pkg-config --libs $(PACKAGES)) -lhttp_parser -lpthread

ifeq ($(SANITIZE),1)
override CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=address,undefined
else
override CPPFLAGS += -D_FORTIFY_SOURCE=2
override CFLAGS   += -fstack-protector-strong
endif
override LDFLAGS += -pie

SOURCES := $(filter-out src/docs/%,$(wildcard src/*/*.c src/*/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/src/monitor/page.o
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
HELPERS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))

.PHONY: all help unit test quick bench bench-fleet bench-kafka bench-others bench-trickle bench-trickle-api bench-trickle-kafka fuzz lint demo install clean docs man compile_commands.json
.SECONDARY:
all: $(BUILD)/sidetail ## builds the program and its manual
ifneq ($(SANITIZE),1)
all: sidetail.1
endif

help: ## prints this
	@awk -F ':.*## ' '/^[a-z_.-]+:.*## / { printf "make %-22s %s\n", $$1, $$2 } /^##/ { set = set substr($$0, 4) "\n" } \
	END { printf "%s", set }' Makefile

$(BUILD)/sidetail: $(BUILD)/src/main.o $(BUILD)/libsidetail.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Writes down what the table of configuration keys says.
$(BUILD)/docs: $(BUILD)/src/docs/docs.o $(BUILD)/libsidetail.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

man: sidetail.1 ## the manual alone, to be read by man ./sidetail.1
sidetail.1: src/docs/sidetail.1.in $(BUILD)/docs $(BUILD)/sidetail
	$(BUILD)/docs man $< $(BUILD)/sidetail > $(BUILD)/$@ && mv $(BUILD)/$@ $@

# The two that are committed; tests/integration/test_docs.py fails when they are behind.
docs: $(BUILD)/docs ## writes the tables of keys into config/README.md, and config/config.schema.json
	$(BUILD)/docs schema > $(BUILD)/schema.new && mv $(BUILD)/schema.new config/config.schema.json
	$(BUILD)/docs tables config/README.md > $(BUILD)/readme.new && mv $(BUILD)/readme.new config/README.md

$(BUILD)/libsidetail.a: $(OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The monitor's page, as C.
PAGE := src/monitor/page
$(BUILD)/src/monitor/page.c: $(PAGE)/embed.sh $(PAGE)/page.html $(PAGE)/page.css $(PAGE)/page.js
	@mkdir -p $(@D)
	$(PAGE)/embed.sh > $@.new && mv $@.new $@

$(BUILD)/src/monitor/page.o: $(BUILD)/src/monitor/page.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(HELPERS) $(BUILD)/libsidetail.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# What a program of tests/bench shares with others is in tests/bench/lines.c.
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/tests/bench/lines.o $(BUILD)/libsidetail.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(UNITS) ## builds and runs the unit tests
	@set -e; for t in $(UNITS); do $$t; done

# Fuzzing: each target in turn for its share of FUZZ_SECONDS. Under $(FUZZ): what a run found worth keeping (corpus/), its output
# (NAME.log), and the input that broke a target (NAME-crash-…), which is tried again by $(FUZZ)/run/NAME FILE.
FUZZ_SECONDS ?= 60
# Of the target follow: its seeds alone, for what it still finds is not mended yet; FUZZ_FOLLOW= lets it look for more.
FUZZ_FOLLOW  ?= -runs=0
FUZZ         := $(BUILD)/fuzz
FUZZERS      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

fuzz: ## runs each fuzzer for its share of FUZZ_SECONDS
	@$(MAKE) -s CC=clang SANITIZE=1 BUILD=$(FUZZ) FUZZ_BUILD=1 CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" $(FUZZERS:%=$(FUZZ)/run/%)
	@for f in $(FUZZERS); do mkdir -p $(FUZZ)/corpus/$$f; \
	$(FUZZ)/run/$$f -max_total_time=$$(($(FUZZ_SECONDS) / $(words $(FUZZERS)))) -max_len=4096 -dict=tests/fuzz/json.dict \
	-artifact_prefix=$(FUZZ)/$$f- -print_final_stats=1 $$([ $$f != follow ] || echo $(FUZZ_FOLLOW)) $(FUZZ)/corpus/$$f tests/data/fuzz/$$f >$(FUZZ)/$$f.log 2>&1 || \
	{ tail -n 40 $(FUZZ)/$$f.log; echo "fuzz: $$f failed, see $(FUZZ)/$$f.log"; exit 1; }; \
	echo "fuzz: $$f: $$(sed -n 's/^stat::number_of_executed_units: //p' $(FUZZ)/$$f.log) inputs, no fault"; done

ifdef FUZZ_BUILD
# Nothing added to NULL is no fault: C2y says so, and no compiler made anything else of it.
override CFLAGS += -fno-sanitize=pointer-overflow
$(BUILD)/run/follow: $(BUILD)/tests/unit/world.o
$(BUILD)/run/follow: LDLIBS += -lcmocka
$(BUILD)/run/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libsidetail.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)
endif

test: ## runs all tests, as root: tests/run.sh, which has its stages
	tests/run.sh

quick: ## builds, runs the unit tests and lints what changed: tests/run.sh quick
	tests/run.sh quick

bench: $(BUILD)/sidetail $(BUILD)/bench/bench_codec $(BUILD)/bench/bench_lines $(BUILD)/bench/bench_shape ## measures decoding, encoding, shaping and the whole
	$(BUILD)/bench/bench_codec
	$(BUILD)/bench/bench_shape
	/usr/bin/python3 tests/bench/run.py $(BUILD)
	/usr/bin/python3 tests/bench/files.py $(BUILD)
	/usr/bin/python3 tests/bench/docker_api.py $(BUILD)
	/usr/bin/python3 tests/bench/tail.py $(BUILD)

bench-others: $(BUILD)/sidetail $(BUILD)/bench/bench_lines ## beside the other collectors that are on the PATH
	/usr/bin/python3 tests/bench/others.py $(BUILD)

bench-trickle: $(BUILD)/sidetail $(BUILD)/bench/bench_least ## CPU for each line where many logs get a little each; OLD=another binary beside it
	/usr/bin/python3 tests/bench/trickle.py $(BUILD) $(OLD)

bench-trickle-api: $(BUILD)/sidetail ## the same from the Engine, which tests/setup/engine.sh starts; OLD=another binary beside it
	/usr/bin/python3 tests/bench/trickle_api.py $(BUILD) $(OLD)

bench-trickle-kafka: $(BUILD)/sidetail ## the same to Kafka, by how often it commits, and what the broker takes
	/usr/bin/python3 tests/bench/trickle_kafka.py $(BUILD) $(OLD)

bench-kafka: $(BUILD)/sidetail $(BUILD)/bench/bench_kafka $(BUILD)/bench/bench_lines ## beside bare librdkafka and kcat, into a broker; OLD=another binary beside it
	OLD="$(OLD)" /usr/bin/python3 tests/bench/kafka.py $(BUILD)

bench-fleet: $(BUILD)/sidetail ## a fleet of collectors before one broker: 10 to 200, all replaced at once, and starts among 5,000 identities
	/usr/bin/python3 tests/bench/fleet.py $(BUILD)

demo: ## collects real containers to stdout, as root
	deploy/demo.sh

C_FILES := $(wildcard src/*.c src/*/*.[ch] src/*/*/*.[ch] include/*/*.h include/*/*/*.h tests/*/*.[ch] tests/integration/app/*.[ch])
# uthash's HASH_ITER looks uninitialised to cppcheck, and a function that does not return is one that does; compilers,
# sanitizers and valgrind look after both.
CPPCHECK_OFF := $(addprefix --suppress=,missingIncludeSystem normalCheckLevelMaxBranches uninitvar nullPointerRedundantCheck)
TIDY ?= $(SOURCES) src/main.c
# Also: do the layers of src/README.md hold, does no circle of calls stand, and are comments whole?
lint: $(BUILD)/sidetail ## layers, comments, clang-format, cppcheck and clang-tidy
	@/usr/bin/python3 tests/lint/layers.py $(BUILD)
	@/usr/bin/python3 tests/lint/comments.py $(C_FILES)
	@clang-format --dry-run -Werror $(C_FILES)
	@cppcheck -q --error-exitcode=1 --enable=warning,performance,portability --inline-suppr -Iinclude -Isrc $(CPPCHECK_OFF) src
	@printf '%s\n' $(TIDY) | FLAGS='$(subst ',,$(CPPFLAGS))' xargs -r -P 2 -n 4 sh -c \
	    'clang-tidy --quiet "$$@" -- $$FLAGS -std=gnu11 2>/dev/null' lint

# For clangd and other tools that want to know how each file is compiled.
COMPILE := $(subst ",\",$(CC) $(CPPFLAGS) $(CFLAGS))
compile_commands.json: ## how each file is compiled, for clangd and editors
	@for f in $(filter %.c,$(C_FILES)); do printf '{"directory": "%s", "file": "%s", "command": "%s -c -o %s %s"},\n' \
	'$(CURDIR)' $$f '$(subst ','\'',$(COMPILE))' $(BUILD)/$${f%.c}.o $$f; done | sed '1s/^/[/; $$s/,$$/]/' >$@

install: $(BUILD)/sidetail sidetail.1 ## installs the program, its manual and completions below PREFIX
	install -D -m 755 $(BUILD)/sidetail $(DESTDIR)$(PREFIX)/bin/sidetail
	install -D -m 644 sidetail.1 $(DESTDIR)$(PREFIX)/share/man/man1/sidetail.1
	install -D -m 644 deploy/completion/sidetail.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sidetail
	install -D -m 644 deploy/completion/_sidetail $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sidetail
	install -D -m 644 deploy/completion/sidetail.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sidetail.fish

clean: ## removes what was built
	rm -rf $(BUILD) sidetail.1

-include $(OBJECTS:.o=.d) $(BUILD)/src/main.d $(BUILD)/src/docs/docs.d $(patsubst %.c,$(BUILD)/%.d,$(wildcard tests/*/*.c))
