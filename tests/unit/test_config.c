/* The configuration file: values, faults and their exact places. */
#include "config_fixture.h"

static void defaults_are_documented_ones(void **state)
{
    (void)state;
    struct error err;
    struct config *cfg = config_load(NULL, &err), *defaults = config_defaults();
    assert_non_null(cfg);
    assert_int_equal(cfg->source, SOURCE_JSON_FILE);
    assert_string_equal(cfg->json_file_path, "/var/lib/docker/containers");
    assert_int_equal(cfg->sink, SINK_STDOUT);
    assert_int_equal(cfg->format, FORMAT_JSON);
    assert_int_equal(cfg->start_at, START_BEGINNING);
    assert_int_equal(cfg->line_max, 1 << 20);
    assert_int_equal(cfg->memory_max, 32 << 20);
    assert_int_equal(cfg->batch_bytes, 256 << 10);
    assert_int_equal(cfg->batch_age, 0);
    assert_int_equal(cfg->checkpoint_interval, NS_PER_S);
    assert_int_equal(cfg->checkpoint_retention, 168 * 3600 * NS_PER_S);
    assert_int_equal(cfg->files_include.count, 0);
    assert_true(json_is_object(cfg->kafka_properties));
    assert_true(cfg->docker_tls_verify);
    assert_false(cfg->metrics_listen_set);
    assert_null(config_needs_restart(cfg, defaults));
    config_free(cfg);
    config_free(defaults);
    config_free(NULL);
}

/* Exactly once, nobody sees a line before its transaction is committed. */
static void lines_gather_until_the_commit(void **state)
{
    (void)state;
    struct config *cfg = config_defaults();
    assert_int_equal(config_waited(cfg), 0);
    cfg->sink = SINK_KAFKA;
    assert_int_equal(config_batch_age(cfg), 50 * NS_PER_MS);
    assert_int_equal(config_waited(cfg), 0); /* reading does not, for a log may be truncated meanwhile */
    cfg->batch_age = NS_PER_S;
    assert_int_equal(config_batch_age(cfg), NS_PER_S);
    assert_int_equal(config_read_wait(cfg), CONFIG_READ_WAIT);
    cfg->batch_age = 40 * NS_PER_MS;
    assert_int_equal(config_batch_age(cfg), 50 * NS_PER_MS);
    assert_int_equal(config_read_wait(cfg), 36 * NS_PER_MS);
    cfg->kafka_delivery = KAFKA_AT_LEAST_ONCE;
    assert_int_equal(config_batch_age(cfg), 40 * NS_PER_MS);
    config_free(cfg);
}

static void reads_each_type(void **state)
{
    (void)state;
    struct config *cfg =
        loaded("{\"source\": \"files\", \"files\": {\"include\": [\"/a/{service}/*\", \"/b/*\"]},\n"
               "\"file\": {\"compress\": true, \"keep\": 7.0, \"rotate_bytes\": 4096},\n"
               "\"line_max\": \"64KiB\", \"batch\": {\"age\": \"150ms\"}, \"host\": \"h\\u00e9\",\n"
               "\"kafka\": {\"properties\": {\"acks\": \"all\"}}, \"$schema\": \"x\",\n"
               "\"metrics\": {\"listen\": \"127.0.0.1:9464\"}}");
    assert_int_equal(cfg->source, SOURCE_FILES);
    assert_int_equal(cfg->files_include.count, 2);
    assert_string_equal(cfg->files_include.items[1], "/b/*");
    assert_true(cfg->file_compress);
    assert_int_equal(cfg->file_keep, 7);
    assert_int_equal(cfg->file_rotate_bytes, 4096);
    assert_int_equal(cfg->line_max, 65536);
    assert_int_equal(cfg->batch_age, 150 * NS_PER_MS);
    assert_string_equal(cfg->host, "hé");
    assert_string_equal(json_string_value(json_object_get(cfg->kafka_properties, "acks")), "all");
    assert_true(cfg->metrics_listen_set); /* said, though it is the default */
    config_free(cfg);
}

static void says_where_syntax_is_wrong(void **state)
{
    (void)state;
    assert_refused("", "1:1: found the end of the file; expected '{'");
    assert_refused(" \n\n", "3:1: found the end of the file; expected '{'");
    assert_refused("[]", "1:1: found an array; expected an object: {…}");
    assert_refused("true", "1:1: found a word or number; expected '{'");
    assert_refused("{\n  \"a\" 1}", "2:7: found '1'; expected ':'");
    assert_refused("{\"line_max\": 20000\n \"sink\": \"file\"}", "2:2: found a string; expected ',' or '}'");
    assert_refused("{\"sink\": \"stdout\",\n}",
                   "2:1: found '}'; expected a key in double quotes: there is a ',' before the '}'");
    assert_refused("{\"labels\": [\"a\" \"b\"]}", "1:17: found a string; expected ',' or ']'");
    assert_refused("{\"labels\": [\"a\",]}", "1:17: found ']'; expected a value");
    assert_refused("{\"sink\": }", "1:10: found '}'; expected a value");
    assert_refused("{\"sink\": stdout}", "1:10: found a word or number; expected a value");
    assert_refused("{sink: 1}", "1:2: found a word or number; expected a key in double quotes, or '}'");
    assert_refused("{} {}", "1:4: found '{'; expected nothing after the last '}'");
    assert_refused("{\"sink\": \"stdout\"", "1:18: found the end of the file; expected ',' or '}'");
    assert_refused("{\"rate_limit\": 99999999999999999999}",
                   "1:16: found a word or number; expected a smaller number");
    assert_refused("{\"é\": \"ü\", \"sink\" \"x\"}", "1:19: found a string; expected ':'");
    assert_refused("{\"host\": \"a\nb\"}",
                   "1:10: found a string with a fault: unexpected newline; expected valid JSON");
    assert_refused("{\"host\": \"a\\qb\"}",
                   "1:10: found a string with a fault: invalid escape; expected valid JSON");
    assert_refused("{\"sink\"\033: 1}", "1:8: found the byte 0x1b; expected ':'");
    assert_refused("{\"\302\233x\": 1, \"\302\233x\": 2}",
                   "1:11: found the key \"?x\" again; expected each key only once");
    assert_refused("{\"\302\233x\": 1}",
                   "1:2: found unknown key \"?x\"; expected a known one, the nearest is \"log\"");
    assert_refused("// no comments\n{}", "1:1: found a word or number; expected '{'");
}

static void says_where_a_value_is_wrong(void **state)
{
    (void)state;
    assert_refused("{\"sink\": \"fil\"}",
                   "1:10: found \"fil\"; expected one of \"stdout\", \"file\", \"kafka\"");
    assert_refused("{\"sink\":\n\tnull}", "2:2: found null; expected one of \"stdout\", \"file\", \"kafka\"");
    assert_refused("{\"host\": 5}", "1:10: found 5; expected a string");
    assert_refused("{\"é\": 1}",
                   "1:2: found unknown key \"é\"; expected a known one, the nearest is \"log\"");
    assert_refused("{\"detect_level\": \"true\"}", "1:18: found \"true\"; expected true or false");
    assert_refused("{\"hold_files\": 0}", "1:16: found 0; expected a whole number from 1 to 100000");
    assert_refused("{\"hold_files\": 1.5}", "1:16: found 1.5; expected a whole number from 1 to 100000");
    assert_refused("{\"hold_files\": 1e300}", "1:16: found 1e+300; expected a whole number from 1 to 100000");
    assert_refused("{\"hold_files\": \"5\"}", "1:16: found \"5\"; expected a whole number from 1 to 100000");
    assert_refused(
        "{\"batch\": {\n  \"lines\": 5,\n  \"bytes\": \"4 KiB\"}}",
        "3:12: found \"4 KiB\"; expected a size from 4KiB to 64MiB: bytes, or a string with kB, MB, GB, KiB, "
        "MiB or GiB");
    assert_refused("{\"batch\": {\"age\": 5}}",
                   "1:19: found 5; expected a duration from 0s to 1m: a string with ms, s, m or h");
    assert_refused("{\"batch\": {\"age\": \"61s\"}}",
                   "1:19: found \"61s\"; expected a duration from 0s to 1m: a string with ms, s, m or h");
    assert_refused("{\"labels\": \"a\"}",
                   "1:12: found \"a\"; expected an array of strings that are not empty");
    assert_refused("{\"labels\": [\"a\",\n \"\"]}", "2:2: found \"\"; expected a string that is not empty");
    assert_refused("{\"labels\": [\"a\", [\"b\"]]}",
                   "1:18: found an array; expected a string that is not empty");
    assert_refused("{\"multiline\": {\"rule\": \"perl\"}}",
                   "1:24: found \"perl\"; expected one of \"\", \"java\", \"python\", \"go\", \"node\", "
                   "\"auto\", \"regex\"");
    assert_refused("{\"json_file\": {\"path\": \"\"}}", "1:24: found \"\"; expected an absolute path");
    assert_refused("{\"metrics\": {\"listen\": \"9464\"}}",
                   "1:24: found \"9464\"; expected address:port such as 127.0.0.1:9464, [::1]:9464 or "
                   "*:9464, or \"\" for none");
    assert_refused(
        "{\"kafka\": {\"topic\": \"logs {service}\"}}",
        "1:21: found \"logs {service}\"; expected the name of a topic, in which {service}, {project}, "
        "{container}, {host} and {stream} may stand");
    assert_refused("{\"drop\": [\"a\",\n  \"b(\"]}",
                   "2:3: found \"b(\" in drop; expected a regular expression (PCRE2): "
                   "missing closing parenthesis, behind byte 2");
    assert_refused(
        "{\"multiline\": {\"rule\": \"regex\", \"first\": \"[a\"}}",
        "1:42: found \"[a\" in multiline.first; expected a regular expression (PCRE2): missing terminating ] "
        "for character class, behind byte 2");
    assert_refused("{\"kafka\": [1]}", "1:11: found an array; expected an object: \"kafka\": {…}");
    assert_refused("{\"$schema\": 1}",
                   "1:2: found unknown key \"$schema\"; expected a known one, the nearest is \"docker\"");
}

static void long_values_are_cut(void **state)
{
    (void)state;
    char text[400] = "{\"sink\": \"", found[200];
    for (int i = 0; i < 100; i++) {
        strcat(text, "ä");
    }
    strcat(text, "\"}");
    assert_refused("{\"sink\": \"a\\nb\\u007fc\"}",
                   "1:10: found \"a?b?c\"; expected one of \"stdout\", \"file\", \"kafka\"");
    struct error err;
    assert_null(load_text(text, &err));
    assert_int_equal(sscanf(strstr(err.text, "found "), "found \"%199[^\"]", found), 1);
    assert_true(strlen(found) < 70);
    assert_null(strstr(found, "\xc3\xe2")); /* cut between characters */
    assert_non_null(strstr(err.text, "ä…\"; expected one of \"stdout\""));
}

static void names_the_nearest_key(void **state)
{
    (void)state;
    static const struct {
        const char *name, *nearest;
    } cases[] = {
        {"snik", "sink"},
        {"souce", "source"},
        {"Format", "format"},
        {"bach", "batch"},
        {"kafak", "kafka"},
        {"batch.byte", "batch.bytes"},
        {"batch.size", "batch.lines"},
        {"kafka.broker", "kafka.brokers"},
        {"brokers", "kafka.brokers"},
        {"compression", "kafka.compression"},
        {"kafka.sasl-password", "kafka.sasl_password"},
        {"file.pth", "file.path"},
        {"line-max", "line_max"},
        {"memory", "memory_max"},
        {"username", "kafka.sasl_username"},
        {"multiline.wiat", "multiline.wait"},
        {"batch.compression", "kafka.compression"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(config_nearest(cases[i].name), cases[i].nearest);
    }
    for (const struct key *key = config_keys; key->path; key++) {
        assert_string_equal(config_nearest(key->path), key->path);
    }
    assert_non_null(config_nearest("")); /* something is always near */
    char longest[2000];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_non_null(config_nearest(longest));
}

static void refuses_unknown_keys(void **state)
{
    (void)state;
    assert_refused("{\n \"sink\": \"stdout\",\n   \"snik\": 1}",
                   "3:4: found unknown key \"snik\"; expected a known one, the nearest is \"sink\"");
    assert_refused(
        "{\"batch\": {\"lines\": 5, \"byts\": 3}}",
        "1:24: found unknown key \"batch.byts\"; expected a known one, the nearest is \"batch.bytes\"");
    assert_refused(
        "{\"batch.bytes\": 3}",
        "1:2: found unknown key \"batch.bytes\"; expected it in an object: \"batch\": {\"bytes\": …}");
    assert_refused("{\"sink\": \"stdout\", \"sink\": \"file\"}",
                   "1:20: found the key \"sink\" again; expected each key only once");
    assert_refused("{\"batch\": {\"lines\": 1,\n  \"lines\": 2}}",
                   "2:3: found the key \"lines\" again; expected each key only once");
}

static void secrets_are_not_told(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"kafka\": {\"sasl_password\": 1234567}}",
        "{\"kafka\": {\"sasl_password\": 1234.567}}",
        "{\"kafka\": {\"sasl_password\": 1234567",
        "{\"kafka\": {\"sasl_password\" \"1234567\"}}",
        "{\"kafka\": {\"sasl_password\": \"12345\\q67\"}}",
        "{\"kafka\": {\"sasl_password\": \"1234567\" \"b\"}}",
        "{\"kafka\": {\"sasl_password\": a1234567}}",
        "{\"kafka\": {\"properties\": {\"sasl.password\": 1234567}}}",
        "{\"kafka\": {\"properties\": \"1234567\"}}",
        "{\"kafka\": {\"sasl_password\": \"1234567\"}}", /* no mechanism */
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct error err;
        assert_null(load_text(texts[i], &err));
        if (strstr(err.text, "1234")) {
            fail_msg("%s", err.text);
        }
    }
    assert_refused(texts[0], "1:29: found a number; expected a string");
}

static void says_why_the_file_cannot_be_read(void **state)
{
    (void)state;
    struct error err;
    char expected[300];
    unlink(path);
    assert_null(config_load(path, &err));
    snprintf(expected, sizeof(expected),
             "%s: cannot be read: No such file or directory; expected the configuration file", path);
    assert_string_equal(err.text, expected);
    assert_null(config_load("/tmp", &err));
    assert_string_equal(err.text, "/tmp: cannot be read: Is a directory; expected the configuration file");
    char *big = malloc(1100000);
    assert_non_null(big);
    memset(big, ' ', 1100000);
    write_file(path, big, 1100000);
    free(big);
    assert_null(config_load(path, &err));
    assert_non_null(strstr(err.text, "it is larger than 1048576 bytes"));
}

static void reads_files_of_any_size_up_to_the_limit(void **state)
{
    (void)state;
    for (size_t len = 4090; len < 4100; len++) { /* around the size of one read */
        struct error err;
        char text[8192] = "{";
        memset(text + 1, ' ', len - 2);
        text[len - 1] = '}';
        write_file(path, text, len);
        struct config *cfg = config_load(path, &err);
        assert_non_null(cfg);
        config_free(cfg);
    }
}

/* Whatever the file holds, it is read, or refused with a place in it and what was expected there. */
static void any_text_is_read_or_refused(void **state)
{
    (void)state;
    static const char valid[] =
        "{\"sink\": \"file\", \"file\": {\"path\": \"/o\", \"keep\": 3},\n \"batch\": {\"age\": "
        "\"5ms\", \"bytes\": 4096},\n\"labels\": [\"a\", \"\\u00e9\"], \"kafka\": {\"properties\": "
        "{\"x\": \"y\"}}, \"detect_level\": true, \"hold_files\": 1e3}";
    static const char bytes[] = "{}[],:\"\\ \n\t0159.eE+-abtrufalsn\xc3\xa9\xff";
    unsigned read = 0, refused = 0;
    size_t prefix = strlen(path);
    srand(11);
    for (int round = 0; round < 4000; round++) {
        char text[sizeof(valid) + 8];
        struct error err = {0};
        size_t len = sizeof(valid) - 1;
        memcpy(text, valid, len);
        for (int edits = 1 + rand() % 3; edits > 0; edits--) {
            size_t at = (size_t)rand() % len;
            if (rand() % 3 == 0) { /* drop one, put one in its place, cut the rest */
                memmove(text + at, text + at + 1, --len - at);
            } else if (rand() % 8 != 0) {
                text[at] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
            } else {
                len = at + 1;
            }
        }
        write_file(path, text, len);
        struct config *cfg = config_load(path, &err);
        unsigned line, column;
        if (cfg) {
            read++;
            config_free(cfg);
            continue;
        }
        refused++;
        if (strncmp(err.text, path, prefix) != 0 ||
            sscanf(err.text + prefix, ":%u:%u: ", &line, &column) != 2 || line < 1 || line > 5 ||
            column < 1 || column > sizeof(text) || !strstr(err.text, "; expected ")) {
            fail_msg("%.*s\n%s", (int)len, text, err.text);
        }
    }
    assert_true(read > 100 && refused > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_are_documented_ones, clean_environment),
        cmocka_unit_test_setup(lines_gather_until_the_commit, clean_environment),
        cmocka_unit_test_setup(reads_each_type, clean_environment),
        cmocka_unit_test_setup(says_where_syntax_is_wrong, clean_environment),
        cmocka_unit_test_setup(says_where_a_value_is_wrong, clean_environment),
        cmocka_unit_test_setup(long_values_are_cut, clean_environment),
        cmocka_unit_test_setup(names_the_nearest_key, clean_environment),
        cmocka_unit_test_setup(refuses_unknown_keys, clean_environment),
        cmocka_unit_test_setup(secrets_are_not_told, clean_environment),
        cmocka_unit_test_setup(says_why_the_file_cannot_be_read, clean_environment),
        cmocka_unit_test_setup(any_text_is_read_or_refused, clean_environment),
        cmocka_unit_test_setup(reads_files_of_any_size_up_to_the_limit, clean_environment),
    };
    return cmocka_run_group_tests_name("config", tests, make_directory, remove_directory);
}
