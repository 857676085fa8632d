/* SPDX-License-Identifier: MIT */
#ifndef ONEHOP_CREDENTIALS_H
#define ONEHOP_CREDENTIALS_H

#include "value.h"

/* PeerCredentials of binding.ts for a connected Unix socket, or the number -errno. */
napi_value make_credentials(napi_env env, int fd);

napi_value peer_credentials(napi_env env, napi_callback_info info);

#endif
