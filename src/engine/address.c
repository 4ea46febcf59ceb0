#include "address.h"

#include <errno.h>
#include <grp.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/userinfo.h"

static const char forms[] = "use unix:///var/run/docker.sock or tcp://host:port";

static int parse_unix(const char *path, struct engine_address *out, struct error *err)
{
    if (path[0] != '/') {
        return error_set(err, "the Engine's address '%s' names no absolute path; %s", out->text, forms);
    }
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        return error_set(err, "the path of the Engine's socket is too long: '%s'", out->text);
    }
    out->local = true;
    snprintf(out->host, sizeof(out->host), "%s", path);
    return 0;
}

static int parse_url(const char *text, struct engine_address *out, struct error *err)
{
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url(text, strlen(text), 0, &url) != 0 || !(url.field_set & (1 << UF_HOST)) ||
        url.field_data[UF_HOST].len >= sizeof(out->host)) {
        return error_set(err, "the Engine's address '%s' cannot be understood; %s", out->text, forms);
    }
    if ((url.field_set & (1 << UF_PATH)) && url.field_data[UF_PATH].len > 1) {
        return error_set(err, "the Engine's address '%s' has a path, which is not supported; %s", out->text,
                         forms);
    }
    snprintf(out->host, sizeof(out->host), "%.*s", (int)url.field_data[UF_HOST].len,
             text + url.field_data[UF_HOST].off);
    out->port = url.port;
    return 0;
}

int engine_address_parse(const char *text, struct engine_address *out, struct error *err)
{
    *out = (struct engine_address){0};
    char *shown = userinfo_hide_address(text);
    snprintf(out->text, sizeof(out->text), "%s", shown ? shown : "?");
    free(shown);
    if (strlen(text) >= sizeof(out->text)) {
        return error_set(err, "the Engine's address is too long: '%s'", out->text);
    }
    if (strncmp(text, "unix://", 7) == 0) {
        return parse_unix(text + 7, out, err);
    }
    if (strncmp(text, "tcp://", 6) == 0 || strncmp(text, "http://", 7) == 0) {
        return parse_url(text, out, err);
    }
    if (strncmp(text, "https://", 8) == 0) {
        out->https = true;
        return parse_url(text, out, err);
    }
    if (strncmp(text, "ssh://", 6) == 0) {
        return error_set(
            err,
            "the Engine's address '%s' is reached over ssh, which is not supported: forward its socket "
            "(ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST) and set "
            "DOCKER_HOST=unix:///tmp/docker.sock",
            out->text);
    }
    return error_set(err, "the Engine's address '%s' is of an unknown kind; %s", out->text, forms);
}

static void explain_denied(const struct engine_address *a, struct error *err)
{
    struct stat st;
    if (stat(a->host, &st) < 0) {
        error_set(err,
                  "permission denied on the path of the Engine's socket %s: run as root, or as a user who "
                  "may reach it",
                  a->host);
        return;
    }
    const struct group *group = getgrgid(st.st_gid);
    if (group && st.st_gid != 0) {
        error_set(err,
                  "permission denied on the Engine's socket %s: it is for group %s (%u). Add your user to it "
                  "(sudo usermod -aG %s USER, then log in anew), start a container with --group-add %u, or "
                  "run as root",
                  a->host, group->gr_name, (unsigned)st.st_gid, group->gr_name, (unsigned)st.st_gid);
        return;
    }
    error_set(err,
              "permission denied on the Engine's socket %s: it is for group %u. Start a container with "
              "--group-add %u, or run as root",
              a->host, (unsigned)st.st_gid, (unsigned)st.st_gid);
}

static void explain_local(const struct engine_address *a, int code, struct error *err)
{
    switch (code) {
    case ENOENT:
        error_set(err,
                  "there is no Engine socket %s: is Docker installed and running (sudo systemctl start "
                  "docker)? If it listens "
                  "elsewhere, set DOCKER_HOST; in a container, mount the socket (-v %s:%s)",
                  a->host, a->host, a->host);
        break;
    case EACCES:
    case EPERM:
        explain_denied(a, err);
        break;
    case ECONNREFUSED:
        error_set(
            err,
            "nobody listens on the Engine's socket %s: Docker is not running (sudo systemctl start docker)",
            a->host);
        break;
    case EAGAIN:
        error_set(err, "the Engine's socket %s takes no further connection now", a->host);
        break;
    default:
        error_set(err, "cannot connect to the Engine's socket %s: %s", a->host, strerror(code));
    }
}

void engine_address_explain(const struct engine_address *a, int code, struct error *err)
{
    if (a->local) {
        explain_local(a, code, err);
        return;
    }
    switch (code) {
    case ECONNREFUSED:
        error_set(
            err,
            "nobody listens at %s: is the Engine running, and told to listen there (dockerd -H tcp://…)?",
            a->text);
        break;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        error_set(err, "the Engine at %s cannot be reached (%s): check the address, and firewalls between",
                  a->text, strerror(code));
        break;
    default:
        error_set(err, "cannot connect to the Engine at %s: %s", a->text, strerror(code));
    }
}
