#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 4096

/* The newest reason that OpenSSL noted, and none left behind. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason ? reason : "unknown reason";
}

static int load_authority(SSL_CTX *tls, const char *path, struct error *err)
{
    if (access(path, F_OK) == 0) {
        if (SSL_CTX_load_verify_locations(tls, path, NULL) != 1) {
            return error_set(err, "cannot use the authority's certificate %s: %s", path, openssl_reason());
        }
        return 0;
    }
    if (SSL_CTX_set_default_verify_paths(tls) != 1) {
        return error_set(err, "cannot load the system's certificate authorities: %s", openssl_reason());
    }
    return 0;
}

static int load_client(SSL_CTX *tls, const char *cert, const char *key, struct error *err)
{
    bool has_cert = access(cert, F_OK) == 0, has_key = access(key, F_OK) == 0;
    if (!has_cert && !has_key) {
        return 0; /* an Engine may ask for none */
    }
    if (!has_cert || !has_key) {
        return error_set(err, "%s is missing beside %s: a client certificate needs both",
                         has_cert ? key : cert, has_cert ? cert : key);
    }
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1) {
        return error_set(err, "cannot use the client certificate %s: %s", cert, openssl_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        return error_set(err, "cannot use the client key %s: %s", key, openssl_reason());
    }
    if (SSL_CTX_check_private_key(tls) != 1) {
        return error_set(err, "the key %s is not that of the certificate %s", key, cert);
    }
    return 0;
}

static int load(SSL_CTX *tls, const char *dir, struct error *err)
{
    char ca[PATH_LEN], cert[PATH_LEN], key[PATH_LEN];
    if (dir[0] == '\0') {
        return load_authority(tls, "", err);
    }
    if (access(dir, R_OK | X_OK) < 0) {
        return error_set(err,
                         "cannot read the directory of the Engine's certificates %s (docker.cert_path, "
                         "DOCKER_CERT_PATH or the docker context's): "
                         "it should hold ca.pem, cert.pem and key.pem",
                         dir);
    }
    if (snprintf(ca, sizeof(ca), "%s/ca.pem", dir) >= (int)sizeof(ca) ||
        snprintf(cert, sizeof(cert), "%s/cert.pem", dir) >= (int)sizeof(cert) ||
        snprintf(key, sizeof(key), "%s/key.pem", dir) >= (int)sizeof(key)) {
        return error_set(err, "the path of the Engine's certificates is too long: %s", dir);
    }
    if (load_authority(tls, ca, err) < 0) {
        return -1;
    }
    return load_client(tls, cert, key, err);
}

SSL_CTX *engine_tls_new(const char *dir, bool verify, struct error *err)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (!tls) {
        error_set(err, "cannot set TLS up: %s", openssl_reason());
        return NULL;
    }
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS); /* an idle stream keeps no 34 KiB of buffers */
    if (load(tls, dir, err) < 0) {
        SSL_CTX_free(tls);
        return NULL;
    }
    return tls;
}

SSL *engine_tls_connection(SSL_CTX *tls, const char *host, bool verify)
{
    SSL *ssl = SSL_new(tls);
    if (!ssl) {
        return NULL;
    }
    unsigned char ip[sizeof(struct in6_addr)];
    bool is_ip = inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
    int ok = 1;
    if (!is_ip) {
        ok = SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    if (ok && verify) {
        ok = is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
                   : SSL_set1_host(ssl, host) == 1;
    }
    if (!ok) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    return ssl;
}

void engine_tls_explain(SSL *ssl, unsigned long code, const char *address, struct error *err)
{
    bool verify = ssl && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER);
    long verified = verify ? SSL_get_verify_result(ssl) : X509_V_OK;
    if (verified != X509_V_OK) {
        error_set(err,
                  "the certificate of the Engine at %s is not trusted: %s. ca.pem in docker.cert_path (or "
                  "DOCKER_CERT_PATH, or of the docker context) must be "
                  "of the authority that signed it, and the address one of its names",
                  address, X509_verify_cert_error_string(verified));
        return;
    }
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason && strstr(reason, "wrong version number")) {
        error_set(err,
                  "the Engine at %s does not speak TLS: leave the certificates out, or let it (dockerd "
                  "--tlsverify)",
                  address);
    } else if (reason && (strstr(reason, "certificate required") || strstr(reason, "bad certificate") ||
                          strstr(reason, "unknown ca") || strstr(reason, "handshake failure"))) {
        error_set(err,
                  "the Engine at %s refused our certificate (%s): cert.pem and key.pem in docker.cert_path "
                  "(or DOCKER_CERT_PATH, or of the docker context) must be "
                  "signed by the authority that it trusts",
                  address, reason);
    } else {
        error_set(err, "TLS with the Engine at %s failed: %s", address,
                  reason ? reason : "the connection broke");
    }
}
