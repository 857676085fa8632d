/* SPDX-License-Identifier: MIT */
/* Arguments in, results out. A reader throws a TypeError and returns false for a wrong type. */
#ifndef ONEHOP_VALUE_H
#define ONEHOP_VALUE_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Fills `values` with exactly `count` arguments; throws if fewer were given. */
bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values, napi_value *receiver);

bool read_int32(napi_env env, napi_value value, int32_t *out);
bool read_bool(napi_env env, napi_value value, bool *out);

struct bytes {
        uint8_t *data;
        size_t length;
};

bool read_uint8_array(napi_env env, napi_value value, struct bytes *out);
bool read_array_buffer(napi_env env, napi_value value, struct bytes *out);

/* A typed array of this type; `length` counts elements. */
bool read_typed_array(napi_env env, napi_value value, napi_typedarray_type type, void **data, size_t *length);

/* The numbers of a JavaScript array from element `from` on, at most `most`; `*length` is that of the array. */
bool read_numbers(napi_env env, napi_value value, uint32_t from, size_t most, int *numbers, uint32_t *length);

napi_value make_int32(napi_env env, int32_t value);
napi_value make_int32_array(napi_env env, const int32_t *values, size_t count);
/* A new Uint8Array with these bytes. */
napi_value make_uint8_array(napi_env env, const void *bytes, size_t length);

bool throw_type_error(napi_env env, const char *message);

#endif
