/* Environment variables, and the files they name. */
#include "config_fixture.h"

static char secret[80]; /* path of a file */

static int make_secret(void **state)
{
    (void)state;
    int result = make_directory(state);
    snprintf(secret, sizeof(secret), "%s/secret", directory);
    return result;
}

static int remove_secret(void **state)
{
    unlink(secret);
    return remove_directory(state);
}

static struct config *environment_loaded(void)
{
    struct error err;
    struct config *cfg = config_load(NULL, &err);
    if (!cfg) {
        fail_msg("%s", err.text);
    }
    return cfg;
}

static void each_key_has_its_own_variable(void **state)
{
    (void)state;
    for (const struct key *a = config_keys; a->path; a++) {
        char name[CONFIG_ENV_MAX], with_suffix[CONFIG_ENV_MAX + 8];
        config_key_env(a, name);
        snprintf(with_suffix, sizeof(with_suffix), "%s_FILE", name);
        assert_int_equal(strncmp(name, "SIDETAIL_", 9), 0);
        assert_string_not_equal(name, CONFIG_ENV_FILE);
        for (const struct key *b = config_keys; b->path; b++) {
            char other[CONFIG_ENV_MAX];
            config_key_env(b, other);
            assert_true(a == b || strcmp(name, other) != 0);
            assert_string_not_equal(with_suffix, other);
        }
    }
}

static void reads_each_type(void **state)
{
    (void)state;
    setenv("SIDETAIL_SOURCE", "docker-api", 1);
    setenv("SIDETAIL_BATCH_BYTES", "1MiB", 1);
    setenv("SIDETAIL_LINE_MAX", "20000", 1);
    setenv("SIDETAIL_BATCH_AGE", "150ms", 1);
    setenv("SIDETAIL_HOLD_FILES", "12", 1);
    setenv("SIDETAIL_KAFKA_PARTITIONS", "-1", 1);
    setenv("SIDETAIL_DETECT_LEVEL", "true", 1);
    setenv("SIDETAIL_HOST", "", 1);
    setenv("SIDETAIL_LABELS", "a,b.*,c d", 1);
    setenv("SIDETAIL_REDACT", "[0-9]{4\\,8},\\d+\\\\,x", 1);
    setenv("SIDETAIL_KAFKA_PROPERTIES", "{\"acks\": \"all\"}", 1);
    setenv("SIDETAIL_METRICS_LISTEN", "", 1);
    struct config *cfg = environment_loaded();
    assert_int_equal(cfg->source, SOURCE_DOCKER_API);
    assert_int_equal(cfg->batch_bytes, 1 << 20);
    assert_int_equal(cfg->line_max, 20000);
    assert_int_equal(cfg->batch_age, 150 * NS_PER_MS);
    assert_int_equal(cfg->hold_files, 12);
    assert_int_equal(cfg->kafka_partitions, -1);
    assert_true(cfg->detect_level);
    assert_string_equal(cfg->host, "");
    assert_int_equal(cfg->labels.count, 3);
    assert_string_equal(cfg->labels.items[2], "c d");
    assert_int_equal(cfg->redact.count, 3);
    assert_string_equal(cfg->redact.items[0], "[0-9]{4,8}");
    assert_string_equal(cfg->redact.items[1], "\\d+\\\\");
    assert_string_equal(cfg->redact.items[2], "x");
    assert_string_equal(json_string_value(json_object_get(cfg->kafka_properties, "acks")), "all");
    assert_string_equal(cfg->metrics_listen, "");
    assert_true(cfg->metrics_listen_set);
    config_free(cfg);
}

/* Two halves of a regex are no regex that hides anything. */
static void a_quantifier_is_not_cut(void **state)
{
    (void)state;
    setenv("SIDETAIL_REDACT", "AKIA[A-Z]{4,},x{1,2}y,{3,4,5},a{b,c}", 1);
    setenv("SIDETAIL_LABELS", "a{1,2}", 1);
    struct config *cfg = environment_loaded();
    assert_int_equal(cfg->redact.count, 7);
    assert_string_equal(cfg->redact.items[0], "AKIA[A-Z]{4,}");
    assert_string_equal(cfg->redact.items[1], "x{1,2}y");
    assert_string_equal(cfg->redact.items[2], "{3");
    assert_string_equal(cfg->redact.items[6], "c}");
    assert_int_equal(cfg->labels.count, 2); /* globs have none */
    config_free(cfg);
}

static void the_commas_of_a_globs_alternatives_cut_nothing(void **state)
{
    (void)state;
    setenv("SIDETAIL_FILES_INCLUDE", "/l/{web,{a,b}}.log, /l/{x\\,y,z},/l/\\{,/l/}", 1);
    setenv("SIDETAIL_FILES_EXCLUDE", "{*.gz,*.bak}, [{]x,{q[}],top} , a[,]b,c\\,d,[!]\\],x]y,e\\ ", 1);
    struct config *cfg = environment_loaded();
    assert_int_equal(cfg->files_include.count, 4);
    assert_string_equal(cfg->files_include.items[0], "/l/{web,{a,b}}.log");
    assert_string_equal(cfg->files_include.items[1], "/l/{x\\,y,z}"); /* no end of an alternative */
    assert_string_equal(cfg->files_include.items[2], "/l/\\{");
    assert_string_equal(cfg->files_include.items[3], "/l/}");
    static const char *const excluded[] = {"{*.gz,*.bak}", "[{]x",       "{q[}],top}", "a[,]b",
                                           "c\\,d",        "[!]\\],x]y", "e\\ "};
    assert_int_equal(cfg->files_exclude.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(cfg->files_exclude.items[i], excluded[i]);
    }
    config_free(cfg);
}

static void blanks_around_elements_go(void **state)
{
    (void)state;
    setenv("SIDETAIL_LABELS", " a, b\t,c d ,\n e\\, f\n,g\\ ,\\ h\\\\ ", 1);
    setenv("SIDETAIL_REDACT", "x\\ , \\ y, a b\\\\ ", 1);
    setenv("SIDETAIL_INCLUDE_SERVICES", " \t", 1);
    struct config *cfg = environment_loaded();
    assert_int_equal(cfg->labels.count, 6);
    assert_string_equal(cfg->labels.items[0], "a");
    assert_string_equal(cfg->labels.items[1], "b");
    assert_string_equal(cfg->labels.items[2], "c d");
    assert_string_equal(cfg->labels.items[3], "e, f");
    assert_string_equal(cfg->labels.items[4], "g ");
    assert_string_equal(cfg->labels.items[5], " h\\\\");
    assert_int_equal(cfg->redact.count, 3);
    assert_string_equal(cfg->redact.items[0], "x\\ "); /* a backslash keeps its blank; both are the regex's */
    assert_string_equal(cfg->redact.items[1], "\\ y");
    assert_string_equal(cfg->redact.items[2], "a b\\\\");
    assert_int_equal(cfg->include.services.count, 0);
    config_free(cfg);
}

static void an_empty_list_is_one(void **state)
{
    (void)state;
    write_file(path, "{\"labels\": [\"a\"]}", 17);
    setenv("SIDETAIL_CONFIG", path, 1);
    setenv("SIDETAIL_LABELS", "", 1);
    struct config *cfg = environment_loaded();
    assert_int_equal(cfg->labels.count, 0);
    config_free(cfg);
}

static void wins_over_the_file(void **state)
{
    (void)state;
    struct error err;
    setenv("SIDETAIL_LINE_MAX", "32KiB", 1);
    struct config *cfg = loaded("{\"line_max\": \"64KiB\", \"hold_files\": 5}");
    assert_int_equal(cfg->line_max, 32768);
    assert_int_equal(cfg->hold_files, 5);
    config_free(cfg);

    setenv("SIDETAIL_CONFIG", path, 1); /* names the file where no argument does */
    cfg = environment_loaded();
    assert_int_equal(cfg->hold_files, 5);
    config_free(cfg);
    setenv("SIDETAIL_CONFIG", "", 1);
    cfg = environment_loaded();
    assert_int_equal(cfg->hold_files, 100);
    config_free(cfg);
    setenv("SIDETAIL_CONFIG", "/nowhere/c.json", 1);
    assert_null(config_load(NULL, &err));
    assert_non_null(strstr(err.text, "/nowhere/c.json: cannot be read: No such file"));
    cfg = config_load(path, &err); /* the argument wins */
    assert_non_null(cfg);
    config_free(cfg);
}

static void refused(const char *name, const char *value, const char *message)
{
    setenv(name, value, 1);
    assert_environment_refused(message);
    unsetenv(name);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    refused("SIDETAIL_SINK", "fil",
            "SIDETAIL_SINK: found \"fil\"; expected one of \"stdout\", \"file\", \"kafka\"");
    refused("SIDETAIL_SINK", "",
            "SIDETAIL_SINK: found \"\"; expected one of \"stdout\", \"file\", \"kafka\"");
    refused("SIDETAIL_DETECT_LEVEL", "yes", "SIDETAIL_DETECT_LEVEL: found \"yes\"; expected true or false");
    static const char *const none[] = {"", "x", "5x", "-", "+5", " 5", "0x5", "5.0", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        char message[200];
        snprintf(message, sizeof(message),
                 "SIDETAIL_HOLD_FILES: found \"%s\"; expected a whole number from 1 to 100000", none[i]);
        refused("SIDETAIL_HOLD_FILES", none[i], message);
    }
    refused("SIDETAIL_HOLD_FILES", "-5",
            "SIDETAIL_HOLD_FILES: found -5; expected a whole number from 1 to 100000");
    refused("SIDETAIL_LABELS", "a,,b", "SIDETAIL_LABELS: found \"\"; expected a string that is not empty");
    refused("SIDETAIL_LABELS", "a,", "SIDETAIL_LABELS: found \"\"; expected a string that is not empty");
    refused("SIDETAIL_HOST", "\xff", "SIDETAIL_HOST: found text that is not UTF-8; expected text in UTF-8");
    refused("SIDETAIL_KAFKA_PROPERTIES", "{\"password\": geheim}",
            "SIDETAIL_KAFKA_PROPERTIES: found text that is not valid JSON at character 19; expected an "
            "object whose "
            "values are strings");
    refused("SIDETAIL_KAFKA_PROPERTIES", "[1]",
            "SIDETAIL_KAFKA_PROPERTIES: found an array; expected an object whose values are strings");
    refused("SIDETAIL_KAFKA_PROPERTIES", "{\"a\": 1}",
            "SIDETAIL_KAFKA_PROPERTIES: found a number; expected a string");
    refused("SIDETAIL_SINK", "kafka",
            "SIDETAIL_SINK: sink is \"kafka\" but kafka.brokers is not set; expected host:port of at least "
            "one broker");
}

static void refuses_unknown_variables(void **state)
{
    (void)state;
    refused("SIDETAIL_SNIK", "file",
            "environment: found unknown variable \"SIDETAIL_SNIK\"; expected a known one, the nearest is "
            "SIDETAIL_SINK");
    refused(
        "SIDETAIL_KAFKA_BROKER", "a:1",
        "environment: found unknown variable \"SIDETAIL_KAFKA_BROKER\"; expected a known one, the nearest is "
        "SIDETAIL_KAFKA_BROKERS");
    refused("SIDETAIL_CONFIGS", "x",
            "environment: found unknown variable \"SIDETAIL_CONFIGS\"; expected a known one, the nearest is "
            "SIDETAIL_CONFIG");
    refused("SIDETAIL_", "",
            "environment: found unknown variable \"SIDETAIL_\"; expected a known one, the nearest is "
            "SIDETAIL_HOST");
    setenv("SIDETAI_SINK", "x", 1); /* somebody else's */
    setenv("sidetail_sink", "x", 1);
    config_free(environment_loaded());
}

static void passes_over_the_links_of_kubernetes(void **state)
{
    (void)state;
    setenv("SIDETAIL_SERVICE_HOST", "10.0.0.1", 1);
    setenv("SIDETAIL_SERVICE_PORT", "9464", 1);
    setenv("SIDETAIL_SERVICE_PORT_METRICS", "9464", 1);
    setenv("SIDETAIL_PORT", "tcp://10.0.0.1:9464", 1);
    setenv("SIDETAIL_PORT_9464_TCP", "tcp://10.0.0.1:9464", 1);
    setenv("SIDETAIL_PORT_9464_TCP_PROTO", "tcp", 1);
    setenv("SIDETAIL_PORT_9464_TCP_ADDR", "10.0.0.1", 1);
    setenv("SIDETAIL_METRICS_PORT_9464_TCP_PORT", "9464", 1);
    config_free(environment_loaded());
    refused(
        "SIDETAIL_KAFKA_PORT", "9092",
        "environment: found unknown variable \"SIDETAIL_KAFKA_PORT\"; expected a known one, the nearest is "
        "SIDETAIL_KAFKA_TOPIC");
}

static void reads_secrets_from_files(void **state)
{
    (void)state;
    static const struct {
        const char *content, *value;
    } cases[] = {{"geheim\n", "geheim"}, {"geheim", "geheim"}, {"a\nb\n\n", "a\nb\n"}, {"", ""}, {"\n", ""},
                 {" a ", " a "}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(secret, cases[i].content, strlen(cases[i].content));
        setenv("SIDETAIL_HOST_FILE", secret, 1);
        struct config *cfg = environment_loaded();
        assert_string_equal(cfg->host, cases[i].value);
        config_free(cfg);
    }
    unsetenv("SIDETAIL_HOST_FILE");
    write_file(secret, "17\n", 3);
    setenv("SIDETAIL_HOLD_FILES_FILE", secret, 1); /* any key, not only secrets */
    struct config *cfg = environment_loaded();
    assert_int_equal(cfg->hold_files, 17);
    config_free(cfg);
}

static void says_what_is_wrong_with_a_secret(void **state)
{
    (void)state;
    char message[300];
    refused("SIDETAIL_KAFKA_SASL_PASSWORD_FILE", "/nowhere",
            "SIDETAIL_KAFKA_SASL_PASSWORD_FILE: /nowhere cannot be read: No such file or directory; expected "
            "a file that "
            "holds kafka.sasl_password");
    refused(
        "SIDETAIL_KAFKA_SASL_PASSWORD_FILE", "",
        "SIDETAIL_KAFKA_SASL_PASSWORD_FILE:  cannot be read: No such file or directory; expected a file that "
        "holds kafka.sasl_password");
    write_file(secret, "a\0b", 3);
    snprintf(message, sizeof(message),
             "SIDETAIL_KAFKA_SASL_PASSWORD_FILE: found a NUL byte in %s; expected text", secret);
    refused("SIDETAIL_KAFKA_SASL_PASSWORD_FILE", secret, message);
    write_file(secret, "geheim\xff", 7);
    refused("SIDETAIL_KAFKA_SASL_PASSWORD_FILE", secret,
            "SIDETAIL_KAFKA_SASL_PASSWORD_FILE: found text that is not UTF-8; expected text in UTF-8");
    write_file(secret, "geheim", 6);
    setenv("SIDETAIL_KAFKA_SASL_PASSWORD", "auch", 1);
    refused("SIDETAIL_KAFKA_SASL_PASSWORD_FILE", secret,
            "SIDETAIL_KAFKA_SASL_PASSWORD_FILE: found SIDETAIL_KAFKA_SASL_PASSWORD set, too; expected only "
            "one of the "
            "two");
}

static void docker_tls_verify_goes_by_docker(void **state)
{
    (void)state;
    static const struct {
        const char *docker, *own;
        bool verify;
        const char *host;
    } cases[] = {{NULL, NULL, true, "tcp://h"},
                 {"1", NULL, true, "tcp://h"},
                 {"", NULL, false, "tcp://h"},
                 {"", "true", true, "tcp://h"},
                 {"1", "false", false, "tcp://h"},
                 {"", NULL, true, ""}}; /* a docker context, if any, has its own way */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        clearenv();
        setenv("DOCKER_HOST", cases[i].host, 1);
        if (cases[i].docker) {
            setenv("DOCKER_TLS_VERIFY", cases[i].docker, 1);
        }
        if (cases[i].own) {
            setenv("SIDETAIL_DOCKER_TLS_VERIFY", cases[i].own, 1);
        }
        struct config *cfg = environment_loaded();
        assert_int_equal(cfg->docker_tls_verify, cases[i].verify);
        config_free(cfg);
    }
}

/* A terminal may take one for a command. */
static void shows_no_control_character(void **state)
{
    (void)state;
    setenv("SIDETAIL_SOURCE", "files", 1);
    setenv("SIDETAIL_FILES_INCLUDE", "logs/\033[2J\302\233", 1);
    assert_environment_refused(
        "SIDETAIL_FILES_INCLUDE: files.include: 'logs/?[2J?' is not the absolute path of files; "
        "expected a path such as \"/logs/{service}/*.log\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_key_has_its_own_variable, clean_environment),
        cmocka_unit_test_setup(reads_each_type, clean_environment),
        cmocka_unit_test_setup(a_quantifier_is_not_cut, clean_environment),
        cmocka_unit_test_setup(the_commas_of_a_globs_alternatives_cut_nothing, clean_environment),
        cmocka_unit_test_setup(blanks_around_elements_go, clean_environment),
        cmocka_unit_test_setup(an_empty_list_is_one, clean_environment),
        cmocka_unit_test_setup(wins_over_the_file, clean_environment),
        cmocka_unit_test_setup(says_what_is_wrong, clean_environment),
        cmocka_unit_test_setup(refuses_unknown_variables, clean_environment),
        cmocka_unit_test_setup(passes_over_the_links_of_kubernetes, clean_environment),
        cmocka_unit_test_setup(reads_secrets_from_files, clean_environment),
        cmocka_unit_test_setup(says_what_is_wrong_with_a_secret, clean_environment),
        cmocka_unit_test_setup(docker_tls_verify_goes_by_docker, clean_environment),
        cmocka_unit_test_setup(shows_no_control_character, clean_environment),
    };
    return cmocka_run_group_tests_name("config_env", tests, make_secret, remove_secret);
}
