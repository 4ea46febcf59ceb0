/* Which Engine the docker client's configuration leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "engine/context.h"
#include "engine/engine.h"

/* sha256sum of "prod" */
#define PROD_ID "6754af9632a2745e85c293e5aac0863370d9bd3330b9938c00cadfd215227d77"

static char dir[64];
static struct engine_context context;
static struct error err;

static int set_up(void **state)
{
    (void)state;
    clearenv();
    strcpy(dir, "/tmp/test_engine_context.XXXXXX");
    err.text[0] = '\0';
    return mkdtemp(dir) && setenv("DOCKER_CONFIG", dir, 1) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "PATH=/usr/bin:/bin; rm -rf %s", dir);
    return system(command);
}

/* A file below the directory, with those that it lies in. */
static void write_file(const char *name, const char *text)
{
    char path[256], command[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(command, sizeof(command), "PATH=/usr/bin:/bin; mkdir -p $(dirname %s)", path);
    assert_int_equal(system(command), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void make_prod(const char *endpoints)
{
    char meta[1024];
    snprintf(meta, sizeof(meta), "{\"Name\":\"prod\",\"Metadata\":{},\"Endpoints\":%s}", endpoints);
    write_file("contexts/meta/" PROD_ID "/meta.json", meta);
}

static void expect_host(const char *name, const char *host)
{
    if (engine_context_find(&context, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(context.name, name);
    assert_string_equal(context.host, host);
}

static void refused(const char *said)
{
    assert_int_equal(engine_context_find(&context, &err), -1);
    if (!strstr(err.text, said)) {
        fail_msg("'%s' is not in '%s'", said, err.text);
    }
}

static void none_is_in_use(void **state)
{
    (void)state;
    expect_host("", "");
    write_file("config.json", "{\"auths\":{}}");
    expect_host("", "");
    write_file("config.json", "{\"currentContext\":\"\"}");
    expect_host("", "");
    write_file("config.json", "{\"currentContext\":\"default\"}");
    expect_host("", "");
    assert_string_equal(context.tls_dir, "");
    clearenv(); /* as in a container: there is no home */
    expect_host("", "");
    setenv("HOME", "/nowhere", 1);
    expect_host("", "");
}

static void the_variable_beats_the_file(void **state)
{
    (void)state;
    make_prod("{\"docker\":{\"Host\":\"tcp://prod:2376\",\"SkipTLSVerify\":false}}");
    write_file("config.json", "{\"currentContext\":\"prod\"}");
    expect_host("prod", "tcp://prod:2376");
    setenv("DOCKER_CONTEXT", "", 1);
    expect_host("prod", "tcp://prod:2376");
    setenv("DOCKER_CONTEXT", "default", 1);
    expect_host("", "");
    write_file("config.json", "{\"currentContext\":\"default\"}");
    setenv("DOCKER_CONTEXT", "prod", 1);
    expect_host("prod", "tcp://prod:2376");
}

static void it_is_looked_for_at_home(void **state)
{
    (void)state;
    make_prod("{\"docker\":{\"Host\":\"unix:///run/prod.sock\"}}");
    write_file("config.json", "{\"currentContext\":\"prod\"}");
    char home[80], link[96];
    snprintf(home, sizeof(home), "%s/home", dir);
    snprintf(link, sizeof(link), "%s/.docker", home);
    assert_int_equal(mkdir(home, 0700), 0);
    assert_int_equal(symlink(dir, link), 0);
    unsetenv("DOCKER_CONFIG");
    expect_host("", "");
    setenv("HOME", home, 1);
    expect_host("prod", "unix:///run/prod.sock");
}

static void it_brings_its_certificates(void **state)
{
    (void)state;
    setenv("DOCKER_CONTEXT", "prod", 1);
    make_prod("{\"docker\":{\"Host\":\"tcp://prod:2376\",\"SkipTLSVerify\":true}}");
    expect_host("prod", "tcp://prod:2376");
    assert_true(context.skip_verify);
    assert_string_equal(context.tls_dir, "");
    write_file("contexts/tls/" PROD_ID "/docker/ca.pem", "");
    expect_host("prod", "tcp://prod:2376");
    assert_non_null(strstr(context.tls_dir, "/contexts/tls/" PROD_ID "/docker"));
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    write_file("config.json", "{\"currentContext\":\"prod\"}");
    refused(
        "there is no docker context \"prod\", which currentContext of config.json names: docker context ls");
    setenv("DOCKER_CONTEXT", "../\x1b[31m", 1);
    refused("there is no docker context \"../?[31m\", which DOCKER_CONTEXT names");
    setenv("DOCKER_CONTEXT", "prod", 1);
    make_prod("{\"kubernetes\":{}}");
    refused("the docker context \"prod\" leads to no Engine: docker context ls");
    make_prod("{");
    refused("meta.json is not valid JSON");
    unsetenv("HOME");
    unsetenv("DOCKER_CONFIG");
    refused("there is no docker context \"prod\"");
}

/* config.json holds passwords. */
static void no_word_of_a_broken_file_is_said(void **state)
{
    (void)state;
    write_file("config.json", "{\"auths\":{\"r\":{\"auth\":\"geheim\" \"geheim\"}}}");
    refused("config.json is not valid JSON (line 1): mend it, or set DOCKER_HOST");
    assert_null(strstr(err.text, "geheim"));
}

static void another_users_file_counts_for_nothing(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    write_file("config.json", "{\"currentContext\":\"prod\"}");
    assert_int_equal(seteuid(65534), 0);
    int found = engine_context_find(&context, &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(found, 0);
    assert_string_equal(context.name, "");
}

/* -- the client that is made of it ------------------------------------------------------------- */

static struct config plain = {.docker_host = "", .docker_cert_path = "", .docker_tls_verify = true};

static void expect_engine(const char *address)
{
    struct event_base *base = event_base_new();
    struct engine *e = engine_new(base, &plain, &err);
    if (!e) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(engine_address(e), address);
    engine_free(e);
    event_base_free(base);
}

static void the_client_goes_there(void **state)
{
    (void)state;
    expect_engine("unix:///var/run/docker.sock");
    assert_false(engine_is_chosen(&plain));
    make_prod("{\"docker\":{\"Host\":\"tcp://prod:2376\"}}");
    setenv("DOCKER_CONTEXT", "prod", 1);
    expect_engine("tcp://prod:2376");
    assert_true(engine_is_chosen(&plain));
    make_prod("{\"docker\":{}}"); /* as the docker client takes it */
    expect_engine("unix:///var/run/docker.sock");
    setenv("DOCKER_HOST", "tcp://other:1", 1);
    setenv("DOCKER_CONTEXT", "missing", 1);
    expect_engine("tcp://other:1");
    struct config given = plain;
    given.docker_host = "tcp://given:1";
    unsetenv("DOCKER_HOST");
    assert_true(engine_is_chosen(&given));
}

static void the_client_says_why_it_cannot(void **state)
{
    (void)state;
    setenv("DOCKER_CONTEXT", "prod", 1);
    make_prod("{\"docker\":{\"Host\":\"ssh://me@prod\"}}");
    assert_null(engine_new(NULL, &plain, &err));
    assert_string_equal(
        err.text, "the docker context \"prod\" cannot be used: the Engine's address 'ssh://***@prod' is "
                  "reached over ssh, which is not supported: forward its socket (ssh -nNT -L "
                  "/tmp/docker.sock:/var/run/docker.sock HOST) and set "
                  "DOCKER_HOST=unix:///tmp/docker.sock");
    make_prod("{\"docker\":{\"Host\":\"tcp://prod:2376\"}}");
    write_file("contexts/tls/" PROD_ID "/docker/ca.pem", "no certificate");
    assert_null(engine_new(NULL, &plain, &err));
    assert_non_null(strstr(err.text, "cannot use the authority's certificate"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(none_is_in_use),
        T(the_variable_beats_the_file),
        T(it_is_looked_for_at_home),
        T(it_brings_its_certificates),
        T(says_what_is_wrong),
        T(no_word_of_a_broken_file_is_said),
        T(another_users_file_counts_for_nothing),
        T(the_client_goes_there),
        T(the_client_says_why_it_cannot),
    };
    return cmocka_run_group_tests_name("engine_context", tests, NULL, NULL);
}
