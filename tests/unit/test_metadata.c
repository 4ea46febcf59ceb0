#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "discover/metadata.h"

static char dir[32], path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/metadata-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/config.v2.json", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

/* Of a container with a label of so many bytes. */
static void write_label(size_t size)
{
    FILE *file = fopen(path, "w");
    char *label = malloc(size);
    assert_true(file && label);
    memset(label, 'x', size);
    fprintf(file, "{\"Name\":\"/web\",\"Config\":{\"Labels\":{\"team\":\"%.*s\"}}}", (int)size, label);
    free(label);
    assert_int_equal(fclose(file), 0);
}

static void test_size(void **state)
{
    (void)state;
    struct metadata meta;
    struct error err = {0};
    write_label(2000000);
    assert_int_equal(metadata_load(dir, &meta, &err), 0);
    assert_string_equal(meta.who.name, "/web");
    assert_int_equal(json_string_length(json_object_get(meta.who.labels, "team")), 2000000);
    metadata_free(&meta);
    write_label(3000000);
    assert_int_equal(metadata_load(dir, &meta, &err), -1);
    assert_non_null(strstr(err.text, "more than 2 MiB"));
}

static void test_malformed(void **state)
{
    (void)state;
    struct metadata meta;
    struct error err = {0};
    FILE *file = fopen(path, "w");
    fputs("{\"Name\":", file);
    fclose(file);
    assert_int_equal(metadata_load(dir, &meta, &err), -1);
    assert_null(strstr(err.text, "2 MiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
