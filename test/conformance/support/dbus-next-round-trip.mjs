/** A service and a client with dbus-next on one bus; prints what they saw as JSON. */

import dbus from "dbus-next";

const NAME = "org.example.Next";
const PATH = "/org/example/Next";
const { Interface, ACCESS_READWRITE } = dbus.interface;

class Example extends Interface {
  #level = 1;

  get level() {
    return this.#level;
  }

  set level(value) {
    this.#level = value;
    Interface.emitPropertiesChanged(this, { level: value }, []);
  }

  Add(left, right) {
    this.Added(left + right);
    return left + right;
  }

  Fail() {
    throw new dbus.DBusError("org.example.Purpose", "on purpose");
  }

  Added(total) {
    return total;
  }
}

Example.configureMembers({
  methods: {
    Add: { inSignature: "ii", outSignature: "i" },
    Fail: { inSignature: "", outSignature: "" },
  },
  signals: { Added: { signature: "i" } },
  properties: { level: { signature: "i", access: ACCESS_READWRITE } },
});

const busAddress = process.env.DBUS_SESSION_BUS_ADDRESS;
const service = dbus.sessionBus({ busAddress });
const client = dbus.sessionBus({ busAddress });
const seen = {};

seen.requested = await service.requestName(NAME, 0);
service.export(PATH, new Example(NAME));

const object = await client.getProxyObject(NAME, PATH);
const proxy = object.getInterface(NAME);
const signal = new Promise((resolve) => proxy.once("Added", resolve));
seen.sum = await proxy.Add(2, 3);
seen.signal = await signal;
seen.error = await proxy.Fail().catch((error) => error.type);

const properties = object.getInterface("org.freedesktop.DBus.Properties");
const changed = new Promise((resolve) =>
  properties.once("PropertiesChanged", (_, values) => resolve(values)),
);
await properties.Set(NAME, "level", new dbus.Variant("i", 7));
seen.changed = (await changed).level.value;
seen.level = (await properties.Get(NAME, "level")).value;

const driver = (
  await client.getProxyObject("org.freedesktop.DBus", "/org/freedesktop/DBus")
).getInterface("org.freedesktop.DBus");
seen.listed = (await driver.ListNames()).includes(NAME);
const gone = new Promise((resolve) =>
  driver.on("NameOwnerChanged", (name, _, newOwner) => {
    if (name === NAME && newOwner === "") resolve(true);
  }),
);
// The rule goes out on another connection than the release: let it arrive first.
await driver.GetId();
seen.released = await service.releaseName(NAME);
seen.gone = await gone;

console.log(JSON.stringify(seen));
service.disconnect();
client.disconnect();
