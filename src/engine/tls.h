/* TLS towards an Engine: certificates as `docker` keeps them in one directory. */
#ifndef SIDETAIL_ENGINE_TLS_H
#define SIDETAIL_ENGINE_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"

/* Client side, TLS 1.2 or later. `dir` holds ca.pem (else the system's authorities count) and, where the
 * Engine wants them, cert.pem and key.pem; "" for none. NULL on error. */
SSL_CTX *engine_tls_new(const char *dir, bool verify, struct error *err);

/* One connection: sends the host's name and has it verified (as a name or an IP address). NULL on error. */
SSL *engine_tls_connection(SSL_CTX *tls, const char *host, bool verify);

/* Why a handshake failed, for a user. */
void engine_tls_explain(SSL *ssl, unsigned long code, const char *address, struct error *err);

#endif
