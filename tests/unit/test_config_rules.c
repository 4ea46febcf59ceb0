/* Rules about several keys, what is shown, what is compared; the command check. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "command/command.h"
#include "config_fixture.h"

static void accepts_what_goes_together(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"checkpoint\": {\"path\": \"\"}}",
        "{\"sink\": \"file\", \"file\": {\"path\": \"/out/x\"}}",
        "{\"sink\": \"file\", \"file\": {\"path\": \"/var/lib/docker/containers-x\"}}",
        "{\"source\": \"docker-api\", \"sink\": \"file\", \"file\": {\"path\": "
        "\"/var/lib/docker/containers/x\"}}",
        "{\"source\": \"files\", \"files\": {\"include\": [\"/l/*.log\"]}, \"sink\": \"file\","
        " \"file\": {\"path\": \"/l/x.txt\"}}",
        "{\"source\": \"files\", \"files\": {\"include\": [\"/l/*.log\"], \"exclude\": [\"/l/x.*\"]},"
        " \"sink\": \"file\", \"file\": {\"path\": \"/l/x.log\"}}",
        "{\"sink\": \"kafka\", \"kafka\": {\"brokers\": \"a:1,b:2\"}, \"checkpoint\": {\"path\": \"\"}}",
        "{\"kafka\": {\"sasl_mechanism\": \"PLAIN\", \"sasl_username\": \"u\", \"sasl_password\": \"p\"}}",
        "{\"kafka\": {\"tls\": true, \"tls_ca\": \"a\", \"tls_cert\": \"b\", \"tls_key\": \"c\","
        " \"tls_key_password\": \"d\"}}",
        "{\"memory_max\": \"8MiB\", \"batch\": {\"bytes\": \"2MiB\"}}",
        "{\"multiline\": {\"rule\": \"regex\", \"first\": \"^x\"}}",
        "{\"multiline\": {\"rule\": \"java\"}}",
        "{\"rate_limit\": 5, \"rate_burst\": 10}",
        "{\"metrics\": {\"listen\": \"[::1]:65535\"}}",
        "{\"metrics\": {\"listen\": \"\"}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        config_free(loaded(texts[i]));
    }
}

static void refuses_what_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"source\": \"files\"}", "1:12: source is \"files\" but files.include is not set; expected globs "
                                    "such as [\"/logs/{service}/*.log\"]"},
        {"{\"source\": \"files\", \"files\": {\"include\": [\"logs/*\"]}}",
         "1:42: files.include: 'logs/*' is not the absolute path of files; expected a path such as "
         "\"/logs/{service}/*.log\""},
        {"{\"sink\": \"file\"}",
         "1:10: sink is \"file\" but file.path is not set; expected the path of the file to write"},
        {"{\"sink\": \"kafka\"}",
         "1:10: sink is \"kafka\" but kafka.brokers is not set; expected host:port of at least one broker"},
        {"{\"sink\": \"kafka\", \"kafka\": {\"brokers\": \"a:1\"},\n \"format\": \"pretty\"}",
         "2:12: format is \"pretty\" but sink is \"kafka\"; expected \"json\", \"logfmt\" or \"raw\""},
        {"{\"sink\": \"file\", \"file\": {\"path\": \"/o\"}, \"checkpoint\": {\"path\": \"\"}}",
         "1:65: checkpoint.path is empty, and sink \"file\" keeps what is delivered there; expected a path"},
        {"{\"sink\": \"kafka\", \"kafka\": {\"brokers\": \"a:1\", \"delivery\": \"at-least-once\"},\n"
         "\"checkpoint\": {\"path\": \"\"}}",
         "2:24: checkpoint.path is empty, and sink \"kafka\" keeps what is delivered there; expected a path"},
        {"{\"sink\": \"file\", \"file\": {\"path\": \"/o\"}, \"checkpoint\": {\"path\": \"/o\"}}",
         "1:35: file.path and checkpoint.path are both \"/o\"; expected two files"},
        {"{\"memory_max\": \"8MiB\", \"batch\": {\"bytes\": \"3MiB\"}}",
         "1:16: memory_max 8MiB is too little for batch.bytes 3MiB; expected four batches: 12MiB or more"},
        {"{\"line_max\": \"16MiB\"}", "1:14: memory_max 32MiB is too little for line_max 16MiB; expected "
                                      "eight such lines: 128MiB or more"},
        {"{\"kafka\": {\"partitions\": 0}}",
         "1:26: kafka.partitions is 0; expected -1 (as the broker likes) or 1 and more"},
        {"{\"kafka\": {\"replication\": 0}}",
         "1:27: kafka.replication is 0; expected -1 (as the broker likes) or 1 and more"},
        {"{\"kafka\": {\"commit_age\": \"2s\", \"transaction_timeout\": \"3s\"}}",
         "1:26: kafka.commit_age is more than half of kafka.transaction_timeout: brokers would abort "
         "transactions before they are committed; expected a fraction of it"},
        {"{\"kafka\": {\"overflow_topic\": \"a\", \"positions_topic\": \"a\"}}",
         "1:30: kafka.overflow_topic and kafka.positions_topic are both \"a\"; expected two topics"},
        {"{\"kafka\": {\"dead_letter_topic\": \"a\", \"positions_topic\": \"a\"}}",
         "1:33: kafka.dead_letter_topic and kafka.positions_topic are both \"a\"; expected two topics"},
        {"{\"kafka\": {\"topic\": \"a\", \"positions_topic\": \"a\"}}",
         "1:21: kafka.topic and kafka.positions_topic are both \"a\"; expected two topics"},
        {"{\"kafka\": {\"sasl_mechanism\": \"PLAIN\", \"sasl_password\": \"p\"}}",
         "1:30: kafka.sasl_mechanism is set but kafka.sasl_username is not; expected both a username and a "
         "password"},
        {"{\"kafka\": {\"sasl_mechanism\": \"PLAIN\", \"sasl_username\": \"p\"}}",
         "1:30: kafka.sasl_mechanism is set but kafka.sasl_password is not; expected both a username and a "
         "password"},
        {"{\"kafka\": {\"sasl_password\": \"p\"}}",
         "1:29: kafka.sasl_password is set but kafka.sasl_mechanism is not; expected \"PLAIN\", "
         "\"SCRAM-SHA-256\" or "
         "\"SCRAM-SHA-512\" there"},
        {"{\"kafka\": {\"tls_ca\": \"a\"}}",
         "1:22: kafka.tls_ca is set but kafka.tls is false; expected true"},
        {"{\"kafka\": {\"tls\": true, \"tls_key\": \"a\"}}",
         "1:36: only one of kafka.tls_cert and kafka.tls_key is set; expected both or none"},
        {"{\"kafka\": {\"tls\": true, \"tls_key_password\": \"a\"}}",
         "1:45: kafka.tls_key_password is set but kafka.tls_key is not; expected the file it opens"},
        {"{\"metrics\": {\"listen\": \"a:0\"}}",
         "1:24: metrics.listen names port 0; expected one from 1 to 65535"},
        {"{\"metrics\": {\"listen\": \"a:65536\"}}",
         "1:24: metrics.listen names port 65536; expected one from 1 to 65535"},
        {"{\"multiline\": {\"rule\": \"regex\"}}", "1:24: multiline.rule is \"regex\" but there is none; "
                                                   "expected multiline.first, multiline.next or both"},
        {"{\"multiline\": {\"rule\": \"go\", \"next\": \"x\"}}",
         "1:38: multiline.next is set but multiline.rule is \"go\"; expected \"regex\" there"},
        {"{\"parse_json\": \"log\"}", "1:16: parse_json is \"log\", which each record has already; expected "
                                      "another key, such as \"message\""},
        {"{\"format\": \"logfmt\", \"parse_json\": \"msg\"}",
         "1:36: parse_json is \"msg\", which each record has already; expected another key, such as "
         "\"message\""},
        {"{\"redact\": [\"a*\"]}",
         "1:12: found \"a*\" in redact, which matches an empty text; expected what matches "
         "secrets only"},
        {"{\"rate_burst\": 1}", "1:16: rate_burst is set but rate_limit is 0; expected a limit, too"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(cases[i].text, cases[i].message);
    }
}

/* Which key is to blame: the one that was said, not the one at its default; the environment's name where it
 * was said there. */
static void blames_what_was_said(void **state)
{
    (void)state;
    setenv("SIDETAIL_LINE_MAX", "16MiB", 1);
    assert_environment_refused(
        "SIDETAIL_LINE_MAX: memory_max 32MiB is too little for line_max 16MiB; expected eight "
        "such lines: 128MiB or more");
    write_file(path, "{\"memory_max\": \"64MiB\"}", 23);
    struct error err;
    assert_null(config_load(path, &err));
    assert_non_null(strstr(err.text, "c.json:1:16: memory_max 64MiB is too little for line_max 16MiB"));
}

static void never_reads_what_it_writes(void **state)
{
    (void)state;
    char logs[64], link[64], text[512], message[512];
    snprintf(logs, sizeof(logs), "%s/logs", directory);
    snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(mkdir(logs, 0700), 0);
    assert_int_equal(symlink("logs", link), 0);
    const char *const pairs[][2] = {{logs, logs}, {logs, link}, {link, logs}};
    for (size_t i = 0; i < 3; i++) {
        for (int braces = 0; braces < 2; braces++) {
            snprintf(
                text, sizeof(text),
                "{\"source\": \"files\", \"files\": {\"include\": [\"%s/%s.log\"]},\n\"sink\": \"file\",\n"
                "\"file\": {\"path\": \"%s/out.log\"}}",
                pairs[i][0], braces ? "{service}" : "*", pairs[i][1]);
            snprintf(message, sizeof(message),
                     "3:18: file.path \"%s/out.log\" would be read by files.include, and each line written "
                     "would come "
                     "back; expected it outside",
                     pairs[i][1]);
            assert_refused(text, message);
        }
        snprintf(text, sizeof(text),
                 "{\"json_file\": {\"path\": \"%s\"},\n\"sink\": \"file\",\n\"file\": {\"path\": "
                 "\"%s/a/out.log\"}}",
                 pairs[i][0], pairs[i][0]);
        snprintf(message, sizeof(message),
                 "3:18: file.path \"%s/a/out.log\" would be read by json_file.path, and each line written "
                 "would come "
                 "back; expected it outside",
                 pairs[i][0]);
        if (pairs[i][0] == logs) { /* through a link only as far as the path exists */
            assert_refused(text, message);
        }
    }
    snprintf(text, sizeof(text),
             "{\"source\": \"files\", \"files\": {\"include\": [\"%s/*\"]},\n\"checkpoint\": {\"path\": "
             "\"%s/c\"}}",
             logs, link);
    snprintf(message, sizeof(message),
             "2:24: checkpoint.path \"%s/c\" would be read by files.include; expected it outside", link);
    assert_refused(text, message);
    for (size_t i = 0; i < 3; i++) { /* excluded, by its name or by where that leads */
        for (int real = 0; real < 2; real++) {
            snprintf(text, sizeof(text),
                     "{\"source\": \"files\", \"files\": {\"include\": [\"%s/*.log\"], \"exclude\": "
                     "[\"%s/out.log\"]}, \"sink\": \"file\", \"file\": {\"path\": \"%s/out.log\"}}",
                     pairs[i][0], real ? logs : pairs[i][1], pairs[i][1]);
            config_free(loaded(text));
        }
    }
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(logs), 0);
}

static const char secrets[] =
    "{\"kafka\": {\"sasl_mechanism\": \"PLAIN\", \"sasl_username\": \"user\", \"sasl_password\": \"geheim\","
    " \"tls\": true, \"tls_cert\": \"c\", \"tls_key\": \"k\", \"tls_key_password\": \"geheim\","
    " \"properties\": {\"ssl.keystore.password\": \"geheim\", \"SASL.PASSWORD\": \"geheim\", "
    "\"ssl.key.pem\": \"geheim\","
    " \"sasl.oauthbearer.client.secret\": \"geheim\", \"sasl.oauthbearer.config\": \"geheim\", \"ssl_key\": "
    "\"geheim\","
    " \"acks\": \"all\", \"sasl.oauthbearer.token.endpoint.url\": \"https://me:geheim@idp/\"}},"
    " \"docker\": {\"host\": \"tcp://me:geheim@engine:2376\"}}";

static void masks_secrets(void **state)
{
    (void)state;
    struct config *cfg = loaded(secrets);
    json_t *dump = config_dump(cfg);
    char *text = json_dumps(dump, 0);
    assert_null(strstr(text, "geheim"));
    assert_non_null(strstr(text, "\"sasl_password\": \"***\""));
    assert_non_null(strstr(text, "\"ssl.key.pem\": \"***\""));
    assert_non_null(strstr(text, "\"acks\": \"all\""));
    assert_non_null(strstr(text, "\"tcp://***@engine:2376\""));
    assert_non_null(strstr(text, "\"https://me:***@idp/\""));
    assert_non_null(strstr(text, "\"sasl_username\": \"user\""));
    /* The configuration itself keeps them. */
    assert_string_equal(cfg->kafka_sasl_password, "geheim");
    assert_string_equal(json_string_value(json_object_get(cfg->kafka_properties, "ssl_key")), "geheim");
    free(text);
    json_decref(dump);
    config_free(cfg);
}

/* What check prints can be read again and says the same. */
static void shows_a_configuration_that_is_one(void **state)
{
    (void)state;
    struct config *cfg =
        loaded("{\"labels\": [\"a\", \"b\"], \"batch\": {\"bytes\": 300001, \"age\": \"90ms\"}, "
               "\"start_at\": \"end\","
               "\"detect_level\": true, \"checkpoint\": {\"retention\": \"90m\"}, \"redact_with\": \"\"}");
    json_t *dump = config_dump(cfg);
    char *text = json_dumps(dump, JSON_INDENT(2));
    struct config *again = loaded(text);
    json_t *second = config_dump(again);
    assert_true(json_equal(dump, second));
    assert_int_equal(again->batch_bytes, 300001);
    assert_string_equal(again->redact_with, "");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(dump, "batch"), "bytes")), 300001);
    for (const struct key *key = config_keys; key->path; key++) { /* every key is shown */
        size_t section = config_key_section(key);
        json_t *holder = section ? json_object_getn(dump, key->path, section) : dump;
        assert_non_null(json_object_get(holder, key->path + section + (section > 0)));
    }
    free(text);
    json_decref(dump);
    json_decref(second);
    config_free(cfg);
    config_free(again);
}

static void tells_what_takes_a_restart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key;
    } cases[] = {
        {"{\"batch\": {\"bytes\": 5000}, \"include\": {\"services\": [\"x\"]}, \"format\": \"raw\"}", NULL},
        {"{\"drop\": [\"x\"], \"log\": {\"level\": \"warn\"}, \"memory_max\": \"16MiB\"}", NULL},
        {"{\"json_file\": {\"path\": \"/x\"}}", "json_file.path"},
        {"{\"source\": \"files\", \"files\": {\"include\": [\"/a\"]}}", "source"},
        {"{\"files\": {\"include\": [\"/a\"]}}", "files.include"},
        {"{\"line_max\": \"64KiB\"}", "line_max"},
        {"{\"sink\": \"file\", \"file\": {\"path\": \"/x\"}}", "sink"},
        {"{\"kafka\": {\"properties\": {\"a\": \"b\"}}}", "kafka.properties"},
        {"{\"checkpoint\": {\"path\": \"/x\"}}", "checkpoint.path"},
        {"{\"metrics\": {\"listen\": \"\"}}", "metrics.listen"},
    };
    struct config *defaults = config_defaults();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *cfg = loaded(cases[i].text);
        const char *key = config_needs_restart(defaults, cfg);
        assert_string_equal(key ? key : "none", cases[i].key ? cases[i].key : "none");
        assert_null(config_needs_restart(cfg, cfg));
        config_free(cfg);
    }
    config_free(defaults);
}

/* -- sidetail check ---------------------------------------------------------------------------- */

struct outcome {
    int code;
    char out[8192], err[1024];
};

static void slurp(const char *name, char *text, size_t size)
{
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
    unlink(name);
}

/* In a process of its own, as main calls it. `out` is where its output goes; NULL: into the outcome. */
static struct outcome check(const char *out, int argc, char **argv)
{
    struct outcome outcome = {0};
    char out_file[64], err_file[64];
    snprintf(out_file, sizeof(out_file), "%s/out", directory);
    snprintf(err_file, sizeof(err_file), "%s/err", directory);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool ready = freopen(out ? out : out_file, "w", stdout) && freopen(err_file, "w", stderr);
        int code = ready ? command_check(argc, argv) : 99;
        fflush(NULL);
        _exit(code);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    outcome.code = WEXITSTATUS(status);
    if (!out) {
        slurp(out_file, outcome.out, sizeof(outcome.out));
    }
    slurp(err_file, outcome.err, sizeof(outcome.err));
    return outcome;
}

#define CHECK(...)                                                                                           \
    check(NULL, sizeof((char *[]){"check", ##__VA_ARGS__}) / sizeof(char *),                                 \
          (char *[]){"check", ##__VA_ARGS__, NULL})

static void check_prints_what_is_in_force(void **state)
{
    (void)state;
    write_file(path, secrets, strlen(secrets));
    struct outcome outcome = CHECK("-c", path);
    assert_int_equal(outcome.code, 0);
    assert_string_equal(outcome.err, "");
    assert_null(strstr(outcome.out, "geheim"));
    json_t *printed = json_loads(outcome.out, 0, NULL);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(printed, "kafka"), "sasl_password")), "***");
    json_decref(printed);
    char option[100];
    snprintf(option, sizeof(option), "--config=%s", path);
    assert_int_equal(CHECK(option).code, 0);
    assert_int_equal(CHECK().code, 0);
}

static void check_says_what_is_wrong(void **state)
{
    (void)state;
    char expected[200];
    write_file(path, "{\"snik\": 1}", 11);
    struct outcome outcome = CHECK("-c", path);
    snprintf(expected, sizeof(expected),
             "sidetail: %s:1:2: found unknown key \"snik\"; expected a known one, the nearest is \"sink\"\n",
             path);
    assert_int_equal(outcome.code, 2);
    assert_string_equal(outcome.err, expected);
    assert_string_equal(outcome.out, "");
    assert_int_equal(CHECK("-x").code, 2);
    assert_int_equal(CHECK("--connection").code, 2);
    assert_int_equal(CHECK("-c").code, 2);
    outcome = CHECK(path);
    assert_int_equal(outcome.code, 2);
    assert_non_null(strstr(outcome.err, "a file is given by -c"));
}

static void check_explains_itself(void **state)
{
    (void)state;
    struct outcome outcome = CHECK("--help");
    assert_int_equal(outcome.code, 0);
    assert_non_null(strstr(outcome.out, "usage: sidetail check"));
    char *argv[] = {"check", NULL};
    outcome = check("/dev/full", 1, argv);
    assert_int_equal(outcome.code, 1);
    assert_non_null(strstr(outcome.err, "No space left on device"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(accepts_what_goes_together, clean_environment),
        cmocka_unit_test_setup(refuses_what_does_not, clean_environment),
        cmocka_unit_test_setup(blames_what_was_said, clean_environment),
        cmocka_unit_test_setup(never_reads_what_it_writes, clean_environment),
        cmocka_unit_test_setup(masks_secrets, clean_environment),
        cmocka_unit_test_setup(shows_a_configuration_that_is_one, clean_environment),
        cmocka_unit_test_setup(tells_what_takes_a_restart, clean_environment),
        cmocka_unit_test_setup(check_prints_what_is_in_force, clean_environment),
        cmocka_unit_test_setup(check_says_what_is_wrong, clean_environment),
        cmocka_unit_test_setup(check_explains_itself, clean_environment),
    };
    return cmocka_run_group_tests_name("config_rules", tests, make_directory, remove_directory);
}
