#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "config/config.h"
#include "record/tags.h"

#define ID  "909cac8e12615d0ea0b6d1a5b5a9a1f5d0c4e4f1b9e1a2b3c4d5e6f708192a3b"
#define ID2 "1111111111111111111111111111111111111111111111111111111111111111"

static json_t *labels(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static struct config base(void)
{
    return (struct config){.host = "node-1", .service = ""};
}

/* The service of a container with these labels and name. */
static void check_service(const char *want, const char *text, const char *name, const char *path_part)
{
    struct config cfg = base();
    json_t *json = labels(text);
    struct tags *tags =
        tags_new(&(struct identity){.id = ID, .name = name, .labels = json, .service = path_part}, &cfg);
    assert_non_null(tags);
    assert_string_equal(tags->service, want);
    assert_ptr_equal(tags->stats, metrics_service(want));
    tags_unref(tags);
    json_decref(json);
}

static void test_service_order(void **state)
{
    (void)state;
    check_service("path", "{\"sidetail.service\":\"own\"}", "/n", "path");
    check_service("own",
                  "{\"com.docker.compose.service\":\"c\",\"com.docker.swarm.service.name\":\"s\",\"sidetail."
                  "service\":\"own\"}",
                  "/n", NULL);
    check_service("s", "{\"com.docker.compose.service\":\"c\",\"com.docker.swarm.service.name\":\"s\"}", "/n",
                  NULL);
    check_service("c", "{\"com.docker.compose.service\":\"c\",\"sidetail.service\":\"\"}", "/n", NULL);
    check_service("n", "{}", "/n", NULL);
    check_service("n", "{\"sidetail.service\":7}", "n", NULL);
    check_service("909cac8e1261", "{}", NULL, NULL);
    check_service("909cac8e1261", "{}", "/", NULL);
}

static void test_no_identity(void **state)
{
    (void)state;
    struct config cfg = base();
    cfg.service = "given";
    struct tags *tags = tags_new(&(struct identity){0}, &cfg);
    assert_string_equal(tags->service, "given");
    assert_string_equal(tags->host, "node-1");
    assert_null(tags->id);
    assert_null(tags->container);
    tags_unref(tags);
    cfg.host = ""; /* unset: this host's own */
    char name[256] = "";
    assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
    tags = tags_new(&(struct identity){0}, &cfg);
    assert_string_equal(tags->host, name);
    tags_unref(tags);
    tags_unref(NULL);
}

static void test_fields(void **state)
{
    (void)state;
    struct config cfg = base();
    cfg.labels = (struct string_list){(char *[]){"team", "org.*"}, 2};
    json_t *json =
        labels("{\"com.docker.stack.namespace\":\"shop\",\"com.docker.swarm.service.name\":\"shop_web\","
               "\"com.docker.swarm.task.name\":\"shop_web.1.abc\",\"com.docker.swarm.node.id\":\"n0de\","
               "\"team\":\"a \\\"b\\\"\",\"org.x\":\"y\",\"other\":\"z\"}");
    struct tags *tags = tags_new(&(struct identity){.id = ID,
                                                    .name = "/shop_web.1.abc",
                                                    .image = "web:1",
                                                    .labels = json,
                                                    .pod = "p",
                                                    .namespace_ = "ns"},
                                 &cfg);
    assert_string_equal(tags->project, "shop");
    assert_string_equal(tags->container, "shop_web.1.abc");
    assert_string_equal(tags->id, "909cac8e1261");
    assert_string_equal(tags->full_id, ID);
    assert_string_equal(tags->image, "web:1");
    assert_string_equal(tags->task, "shop_web.1.abc");
    assert_string_equal(tags->node, "n0de");
    assert_string_equal(tags->pod, "p");
    assert_string_equal(tags->namespace_, "ns");
    assert_int_equal(json_object_size(tags->labels), 2);
    assert_string_equal(json_string_value(json_object_get(tags->labels, "team")), "a \"b\"");
    assert_string_equal(json_string_value(json_object_get(tags->labels, "org.x")), "y");
    assert_ptr_equal(tags_ref(tags), tags);
    tags_unref(tags);
    assert_string_equal(tags->service, "shop_web"); /* one reference is left */
    tags_unref(tags);
    json_decref(json);
}

/* A million bytes of each, which would be in each line. */
static void test_limits(void **state)
{
    (void)state;
    static char text[1000001];
    struct config cfg = base();
    cfg.labels = (struct string_list){(char *[]){"team", "org.*"}, 2};
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text + 511, "\u00e9", 2); /* the cut must not tear it */
    json_t *json = labels("{\"org.x\":\"y\"}");
    json_object_set_new(json, "com.docker.compose.service", json_string(text));
    json_object_set_new(json, "team", json_string(text));
    struct identity who = {.id = ID2, .name = text, .labels = json};
    cfg.host = text; /* the operator's own, who may */
    metrics.cut_tags = 0;
    for (int i = 0; i < 2; i++) { /* said and counted once */
        struct tags *tags = tags_new(&who, &cfg);
        assert_int_equal(strlen(tags->service), 511);
        assert_int_equal(strlen(tags->container), 511);
        assert_string_equal(tags->host, text);
        assert_ptr_equal(tags->stats, metrics_service(tags->service));
        assert_int_equal(json_object_size(tags->labels), 1);
        assert_string_equal(json_string_value(json_object_get(tags->labels, "org.x")), "y");
        tags_unref(tags);
        assert_int_equal(metrics.cut_tags, 3);
    }
    json_decref(json);
}

/* Those that fit beside each other are taken, in their order. */
static void test_limit_of_labels(void **state)
{
    (void)state;
    char text[6001];
    struct config cfg = base();
    cfg.labels = (struct string_list){(char *[]){"*"}, 1};
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_t *json = json_object();
    const char *keys[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 3; i++) {
        json_object_set_new(json, keys[i], json_string(text));
    }
    json_object_set_new(json, keys[3], json_string("short"));
    text[1] = '\0'; /* that is no end of a JSON string */
    json_object_set_new(json, "e", json_stringn(text, sizeof(text) - 1));
    metrics.cut_tags = 0;
    struct tags *tags = tags_new(&(struct identity){.id = ID, .labels = json}, &cfg);
    assert_non_null(json_object_get(tags->labels, "a"));
    assert_non_null(json_object_get(tags->labels, "b"));
    assert_null(json_object_get(tags->labels, "c"));
    assert_non_null(json_object_get(tags->labels, "d"));
    assert_null(json_object_get(tags->labels, "e"));
    assert_int_equal(metrics.cut_tags, 2);
    tags_unref(tags);
    json_decref(json);
}

static bool wanted(const struct config *cfg, const char *text, const char *self)
{
    json_t *json = labels(text);
    struct identity who = {.id = ID, .name = "/shop_web_1", .labels = json};
    struct tags *tags = tags_new(&who, cfg);
    bool result = tags_wanted(tags, &who, cfg, self);
    tags_unref(tags);
    json_decref(json);
    return result;
}

static void test_opt_out(void **state)
{
    (void)state;
    struct config cfg = base();
    assert_true(wanted(&cfg, "{}", NULL));
    assert_true(wanted(&cfg, "{}", ID2));
    assert_false(wanted(&cfg, "{}", ID));
    assert_true(wanted(&cfg, "{\"sidetail.enable\":\"true\"}", NULL));
    assert_true(wanted(&cfg, "{\"sidetail.enable\":\"\"}", NULL));
    assert_false(wanted(&cfg, "{\"sidetail.enable\":\"false\"}", NULL));
    assert_false(wanted(&cfg, "{\"sidetail.enable\":\"False\"}", NULL));
    assert_false(wanted(&cfg, "{\"sidetail.enable\":\"0\"}", NULL));
    assert_false(wanted(&cfg, "{\"sidetail.enable\":\"no\"}", NULL));
}

/* Which rule it was, or label. */
static void expect_refusal(const struct config *cfg, const char *text, const char *self, const char *by,
                           const char *value)
{
    json_t *json = labels(text);
    struct identity who = {.id = ID, .name = "/shop_web_1", .labels = json};
    struct tags *tags = tags_new(&who, cfg);
    struct tags_refusal refusal = tags_refused(tags, &who, cfg, self);
    if (by) {
        assert_string_equal(refusal.by, by);
    } else {
        assert_null(refusal.by);
    }
    if (value) {
        assert_string_equal(refusal.value, value);
    } else {
        assert_null(refusal.value);
    }
    tags_unref(tags);
    json_decref(json);
}

#define LIST(...)                                                                                            \
    ((struct string_list){(char *[]){__VA_ARGS__}, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)})

static void test_refusals(void **state)
{
    (void)state;
    struct config cfg = base();
    expect_refusal(&cfg, "{}", NULL, NULL, NULL);
    expect_refusal(&cfg, "{}", ID, TAGS_OWN, NULL);
    expect_refusal(&cfg, "{\"sidetail.enable\":\"Off\"}", NULL, "label sidetail.enable", "Off");
    cfg.include.containers = LIST("db*");
    expect_refusal(&cfg, "{}", NULL, "include.containers", NULL);
    cfg.include.labels = LIST("tier");
    cfg.include.containers = LIST("shop*");
    expect_refusal(&cfg, "{}", NULL, "include.labels", NULL);
    expect_refusal(&cfg, "{\"tier\":\"x\"}", NULL, NULL, NULL);
    cfg.exclude.labels = LIST("a=b", "tier=f*");
    expect_refusal(&cfg, "{\"tier\":\"x\"}", NULL, NULL, NULL);
    expect_refusal(&cfg, "{\"tier\":\"front\"}", NULL, "exclude.labels", "tier=f*");
    cfg.exclude.services = LIST("none", "shop_*");
    expect_refusal(&cfg, "{\"tier\":\"front\"}", NULL, "exclude.services", "shop_*");
}

static void test_include(void **state)
{
    (void)state;
    const char *web = "{\"com.docker.compose.service\":\"web\",\"tier\":\"front\"}";
    struct config cfg = base();
    cfg.include.services = LIST("db", "w*");
    assert_true(wanted(&cfg, web, NULL));
    cfg.include.containers = LIST("other_*");
    assert_false(wanted(&cfg, web, NULL)); /* each kind must fit */
    cfg.include.containers = LIST("shop_*");
    assert_true(wanted(&cfg, web, NULL));
    cfg.include.labels = LIST("tier=back");
    assert_false(wanted(&cfg, web, NULL));
    cfg.include.labels = LIST("tier=back", "tier=f*");
    assert_true(wanted(&cfg, web, NULL));
    cfg.include.labels = LIST("t?er");
    assert_true(wanted(&cfg, web, NULL));
    assert_false(wanted(&cfg, "{\"com.docker.compose.service\":\"web\"}", NULL));
    cfg.include.services = LIST("web2");
    assert_false(wanted(&cfg, web, NULL));
}

static void test_exclude(void **state)
{
    (void)state;
    const char *web = "{\"com.docker.compose.service\":\"web\",\"tier\":\"front\"}";
    struct config cfg = base();
    cfg.include.services = LIST("web");
    cfg.exclude.services = LIST("db");
    assert_true(wanted(&cfg, web, NULL));
    cfg.exclude.labels = LIST("tier=front");
    assert_false(wanted(&cfg, web, NULL));
    cfg.exclude.labels = LIST("tier=back");
    cfg.exclude.containers = LIST("*_1");
    assert_false(wanted(&cfg, web, NULL));
    cfg.exclude.containers = LIST("*_2");
    assert_true(wanted(&cfg, web, NULL));
    cfg.exclude.services = LIST("?eb");
    assert_false(wanted(&cfg, web, NULL));
}

static void check_own(const char *want, const char *cgroup, const char *mountinfo)
{
    char id[65] = "";
    assert_int_equal(tags_container_in(cgroup, mountinfo, id), want != NULL);
    assert_string_equal(id, want ? want : "");
}

static void test_own_container(void **state)
{
    (void)state;
    const char *host_mounts =
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "90 22 0:50 / /var/lib/docker/containers/" ID2 "/mounts/shm rw - tmpfs shm rw\n";
    const char *sidecar =
        "601 500 8:1 /var/lib/docker/containers /var/lib/docker/containers ro - ext4 /dev/sda1 rw\n"
        "602 500 8:1 /var/lib/docker/containers/" ID2 " /mnt ro - ext4 /dev/sda1 rw\n"
        "603 500 8:1 /var/lib/docker/containers/" ID "/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw\n"
        "604 500 8:1 /var/lib/docker/containers/" ID "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n";
    check_own(NULL, "", "");
    check_own(NULL, "0::/init.scope\n", host_mounts);
    check_own(NULL, "12:cpu:/user.slice\n0::/", host_mounts);
    check_own(ID, "12:memory:/docker/" ID "\n11:cpu:/docker/" ID "\n", "");
    check_own(ID, "0::/system.slice/docker-" ID ".scope\n", "");
    check_own(ID, "3:cpu:/docker/" ID2 "/docker/" ID "\n", "");
    check_own(ID, "0::/\n", sidecar);
    check_own(ID, "0::/", sidecar);
    check_own(NULL, "0::/docker/" ID "0\n", ""); /* 65 digits are no id */
    check_own(NULL, "0::/\n", "603 500 8:1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_order),   cmocka_unit_test(test_no_identity),
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_labels), cmocka_unit_test(test_opt_out),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_include),
        cmocka_unit_test(test_exclude),         cmocka_unit_test(test_own_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
