/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <string.h>

bool throw_type_error(napi_env env, const char *message) {
        napi_throw_type_error(env, NULL, message);
        return false;
}

bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values, napi_value *receiver) {
        size_t given = count;

        if (napi_get_cb_info(env, info, &given, values, receiver, NULL) != napi_ok)
                return false;
        return given >= count || throw_type_error(env, "too few arguments");
}

bool read_int32(napi_env env, napi_value value, int32_t *out) {
        return napi_get_value_int32(env, value, out) == napi_ok || throw_type_error(env, "a number is expected");
}

bool read_bool(napi_env env, napi_value value, bool *out) {
        return napi_get_value_bool(env, value, out) == napi_ok || throw_type_error(env, "a boolean is expected");
}

bool read_typed_array(napi_env env, napi_value value, napi_typedarray_type type, void **data, size_t *length) {
        napi_typedarray_type actual;
        bool is_array = false;

        if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
            napi_get_typedarray_info(env, value, &actual, length, data, NULL, NULL) != napi_ok || actual != type)
                return throw_type_error(env, "a typed array of another type is expected");
        return true;
}

bool read_uint8_array(napi_env env, napi_value value, struct bytes *out) {
        void *data;

        if (!read_typed_array(env, value, napi_uint8_array, &data, &out->length))
                return false;
        out->data = data;
        return true;
}

bool read_array_buffer(napi_env env, napi_value value, struct bytes *out) {
        bool is_buffer = false;
        void *data;

        if (napi_is_arraybuffer(env, value, &is_buffer) != napi_ok || !is_buffer ||
            napi_get_arraybuffer_info(env, value, &data, &out->length) != napi_ok)
                return throw_type_error(env, "an ArrayBuffer is expected");
        out->data = data;
        return true;
}

bool read_numbers(napi_env env, napi_value value, uint32_t from, size_t most, int *numbers, uint32_t *length) {
        bool is_array = false;
        uint32_t i;

        if (napi_is_array(env, value, &is_array) != napi_ok || !is_array ||
            napi_get_array_length(env, value, length) != napi_ok)
                return throw_type_error(env, "an array of numbers is expected");
        for (i = from; i < *length && i - from < most; i++) {
                napi_value element;

                if (napi_get_element(env, value, i, &element) != napi_ok ||
                    !read_int32(env, element, &numbers[i - from]))
                        return false;
        }
        return true;
}

napi_value make_int32(napi_env env, int32_t value) {
        napi_value result = NULL;

        napi_create_int32(env, value, &result);
        return result;
}

napi_value make_int32_array(napi_env env, const int32_t *values, size_t count) {
        napi_value array;
        size_t i;

        if (napi_create_array_with_length(env, count, &array) != napi_ok)
                return NULL;
        for (i = 0; i < count; i++)
                napi_set_element(env, array, (uint32_t)i, make_int32(env, values[i]));
        return array;
}

napi_value make_uint8_array(napi_env env, const void *bytes, size_t length) {
        napi_value buffer, array;
        void *data;

        if (napi_create_arraybuffer(env, length, &data, &buffer) != napi_ok ||
            napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array) != napi_ok)
                return NULL;
        if (length > 0)
                memcpy(data, bytes, length);
        return array;
}
