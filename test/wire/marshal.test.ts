/** Values that JavaScript offers for each type, and what is said of those that do not fit. */

import { expect, test } from "@jest/globals";
import { marshal, ValueError } from "../../wire/marshal.ts";
import { unmarshal } from "../../wire/unmarshal.ts";
import { Variant } from "../../wire/variant.ts";

test("the specification's example of an array is marshalled as it says", () => {
  // https://dbus.freedesktop.org/doc/dbus-specification.html#idm646: an array of INT64 holding 5.
  expect(Array.from(marshal("ax", [[5]], false))).toEqual([
    0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5,
  ]);
});

test("both byte orders are written", () => {
  expect(Array.from(marshal("yq", [1, 0x0203]))).toEqual([1, 0, 3, 2]);
  expect(Array.from(marshal("yq", [1, 0x0203], false))).toEqual([1, 0, 2, 3]);
});

test("x and t take bigints, and numbers that are safe integers", () => {
  expect(unmarshal("xt", marshal("xt", [-5, 7]))).toEqual([-5n, 7n]);
  expect(() => marshal("x", [2 ** 60])).toThrow("expected x, got number 1152921504606847000");
  expect(() => marshal("t", [-1n])).toThrow(
    "expected t (0 to 18446744073709551615), got bigint -1",
  );
});

test("a dictionary is a Map or a plain object", () => {
  const bytes = marshal("a{sy}", [new Map([["one", 1]])]);
  expect(marshal("a{sy}", [{ one: 1 }])).toEqual(bytes);
});

test("the keys of a plain object stand for integers where integers are wanted", () => {
  expect(unmarshal("a{us}", marshal("a{us}", [{ 7: "seven" }]))).toEqual([new Map([[7, "seven"]])]);
  expect(unmarshal("a{xs}", marshal("a{xs}", [{ "-7": "x" }]))).toEqual([new Map([[-7n, "x"]])]);
  expect(unmarshal("a{ss}", marshal("a{ss}", [{ 7: "x" }]))).toEqual([new Map([["7", "x"]])]);
});

test("ay takes an array or a Uint8Array", () => {
  expect(marshal("ay", [[1, 2, 3]])).toEqual(marshal("ay", [Uint8Array.of(1, 2, 3)]));
});

test("a variant is anything with its signature and value", () => {
  expect(marshal("v", [{ signature: "s", value: "x" }])).toEqual(
    marshal("v", [new Variant("s", "x")]),
  );
});

test("a string, a boolean and bytes are variants of the only type that they can have", () => {
  expect(unmarshal("av", marshal("av", [["x", true, Uint8Array.of(1)]]))).toEqual([
    [new Variant("s", "x"), new Variant("b", true), new Variant("ay", Uint8Array.of(1))],
  ]);
});

test("a dictionary is an array of pairs too", () => {
  expect(marshal("a{sy}", [[["one", 1]]])).toEqual(marshal("a{sy}", [{ one: 1 }]));
});

test("an object without a prototype is a dictionary, and so is its key __proto__", () => {
  const entries = Object.assign(Object.create(null), JSON.parse('{"__proto__":1}'));
  expect(unmarshal("a{sy}", marshal("a{sy}", [entries]))).toEqual([new Map([["__proto__", 1]])]);
});

test("a Variant is of one complete type", () => {
  expect(() => new Variant("ss", "x")).toThrow("is not one complete type");
  expect(() => new Variant("", "x")).toThrow(TypeError);
});

test.each<[string, unknown, string]>([
  ["y", "x", 'body[0].y: expected y, got string "x"'],
  ["y", 256, "body[0].y: expected y (0 to 255), got number 256"],
  ["y", 1.5, "body[0].y: expected y, got number 1.5"],
  ["n", 0x8000, "body[0].n: expected n (-32768 to 32767), got number 32768"],
  ["q", -1, "body[0].q: expected q (0 to 65535), got number -1"],
  ["i", 2 ** 31, "body[0].i: expected i (-2147483648 to 2147483647), got number 2147483648"],
  ["u", 1n, "body[0].u: expected u, got bigint 1"],
  ["b", 1, "body[0].b: expected b, got number 1"],
  ["d", "1", 'body[0].d: expected d, got string "1"'],
  ["s", null, "body[0].s: expected s, got null"],
  ["s", "\ud800", "body[0].s: expected s without U+0000 and lone surrogates"],
  ["s", "a\0", "body[0].s: expected s without U+0000 and lone surrogates"],
  ["o", "a/b", 'body[0].o: expected o, got string "a/b"'],
  ["g", "a", 'body[0].g: expected g, got string "a"'],
  ["v", 1, "body[0].v: expected v (a Variant), got number 1"],
  ["v", { signature: "ii", value: 1 }, "expected a variant of one complete type"],
  ["as", "x", 'body[0].as: expected as, got string "x"'],
  ["as", ["a", 7], "body[0].as[1]: expected s, got number 7"],
  ["(si)", ["a"], "body[0].(si): expected (si) (2 fields), got array of 1"],
  ["(si)", ["a", "b"], 'body[0].(si)[1]: expected i, got string "b"'],
  ["a{sv}", { Icon: new Variant("y", "x") }, 'body[0].a{sv}["Icon"]: expected y, got string "x"'],
  ["a{ys}", { x: "y" }, 'body[0].a{ys}[key "x"]: expected y, got string "x"'],
  [
    "a{sa(yy)}",
    {
      k: [
        [1, 2],
        [3, true],
      ],
    },
    'body[0].a{sa(yy)}["k"][1][1]: expected y, got boolean',
  ],
  ["a{sv}", [1], "body[0].a{sv}[0]: expected {sv} (a pair), got number 1"],
  ["a{sy}", [["k", 1], ["k"]], "body[0].a{sy}[1]: expected {sy} (a pair), got array of 1"],
  [
    "a{sy}",
    [
      ["k", 1],
      ["l", 256],
    ],
    'body[0].a{sy}["l"]: expected y (0 to 255), got number 256',
  ],
  ["a{sv}", new Date(0), "body[0].a{sv}: expected a{sv}, got object"],
  ["a{sv}", { k: 1n }, 'body[0].a{sv}["k"]: expected v (a Variant), got bigint 1'],
  ["av", [true, null], "body[0].av[1]: expected v (a Variant), got null"],
])("%s refuses %p and says where", (signature, value, message) => {
  expect(() => marshal(signature, [value])).toThrow(ValueError);
  expect(() => marshal(signature, [value])).toThrow(message);
});

test("the argument is counted from 0", () => {
  expect(() => marshal("sis", ["a", 1, 2])).toThrow("body[2].s: expected s, got number 2");
});

test("there are as many values as types", () => {
  expect(() => marshal("ss", ["a"])).toThrow("body: expected 2 arguments, got 1");
  expect(() => marshal("", [1])).toThrow("body: expected 0 arguments, got 1");
});

test("a value error has a code of its own", () => {
  expect(() => marshal("y", [-1])).toThrow(expect.objectContaining({ code: "ERR_DBUS_VALUE" }));
});

test("a signature that is none is a TypeError", () => {
  expect(() => marshal("a", [])).toThrow(TypeError);
});

test("an array longer than 64 MiB is refused", () => {
  expect(() => marshal("ay", [new Uint8Array(67108865)])).toThrow("longer than 64 MiB");
});

test("strings longer than the first buffer are written whole", () => {
  const long = "€".repeat(5000);
  expect(unmarshal("ss", marshal("ss", ["x", long]))).toEqual(["x", long]);
});

test("a getter among the values may marshal, too", () => {
  const inner: Uint8Array[] = [];
  const values = {
    first: new Variant("s", "before"),
    get second(): Variant {
      inner.push(marshal("s", ["in between"]));
      return new Variant("s", "after");
    },
  };
  const plain = { first: new Variant("s", "before"), second: new Variant("s", "after") };
  expect(marshal("a{sv}", [values])).toEqual(marshal("a{sv}", [plain]));
  expect(inner).toEqual([marshal("s", ["in between"])]);
});

test("what was marshalled stays as it is when more is", () => {
  const first = marshal("s", ["first"]);
  const copy = first.slice();
  marshal("s", ["another"]);
  expect(first).toEqual(copy);
});
