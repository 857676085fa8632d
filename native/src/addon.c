/* SPDX-License-Identifier: MIT */
/* What the module exports: the functions of Addon in binding.ts. */
#include "credentials.h"
#include "poller.h"
#include "sockets.h"

NAPI_MODULE_INIT() {
        const napi_property_descriptor functions[] = {
                { "listenUnix", NULL, listen_unix, NULL, NULL, NULL, napi_enumerable, NULL },
                { "adoptListener", NULL, adopt_listener, NULL, NULL, NULL, napi_enumerable, NULL },
                { "connectUnix", NULL, connect_unix, NULL, NULL, NULL, napi_enumerable, NULL },
                { "sendDatagram", NULL, send_datagram, NULL, NULL, NULL, napi_enumerable, NULL },
                { "socketPair", NULL, socket_pair, NULL, NULL, NULL, napi_enumerable, NULL },
                { "pipe", NULL, make_pipe, NULL, NULL, NULL, napi_enumerable, NULL },
                { "closeDescriptor", NULL, close_descriptor, NULL, NULL, NULL, napi_enumerable, NULL },
                { "duplicateDescriptor", NULL, duplicate_descriptor, NULL, NULL, NULL, napi_enumerable, NULL },
                { "closeOnExec", NULL, close_on_exec, NULL, NULL, NULL, napi_enumerable, NULL },
                { "limitOpenFiles", NULL, limit_open_files, NULL, NULL, NULL, napi_enumerable, NULL },
                { "mapBlocksFrom", NULL, map_blocks_from, NULL, NULL, NULL, napi_enumerable, NULL },
                { "memoryDescriptor", NULL, memory_descriptor, NULL, NULL, NULL, napi_enumerable, NULL },
                { "readDescriptor", NULL, read_descriptor, NULL, NULL, NULL, napi_enumerable, NULL },
                { "send", NULL, send_once, NULL, NULL, NULL, napi_enumerable, NULL },
                { "receive", NULL, receive_once, NULL, NULL, NULL, napi_enumerable, NULL },
                { "credentials", NULL, peer_credentials, NULL, NULL, NULL, napi_enumerable, NULL },
                { "createPoller", NULL, create_poller, NULL, NULL, NULL, napi_enumerable, NULL },
        };

        if (napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions) != napi_ok)
                return NULL;
        return exports;
}
