/**
 * Two clients on one bus: one serves a method, the other calls it and hears a signal.
 *
 * With the address of a bus as its argument it runs there; without, on a bus in this process.
 */

import { createBus } from "../bus/index.ts";
import { connect, DBusError, RequestNameReply, Variant } from "../client/index.ts";

const NAME = "org.example.Greeter";
const PLACE = { path: "/org/example/Greeter", interface: NAME };

const [address] = process.argv.slice(2);
const bus = createBus();
const join = () => connect(address ?? bus.connect());

// The one that serves: onCall gets every method call, and true says that it will be answered.
const service = await join();
service.onCall = (call) => {
  if (call.member !== "Greet") return false;
  const [who] = call.body;
  void service.reply(call, { signature: "s", body: [`Hello, ${who}!`] });
  const details = { language: new Variant("s", "en"), times: new Variant("u", 1) };
  void service.emit({ ...PLACE, member: "Greeted", signature: "sa{sv}", body: [who, details] });
  return true;
};
if ((await service.requestName(NAME)) !== RequestNameReply.PrimaryOwner) {
  throw new Error(`${NAME} has an owner already`);
}

// The one that calls. The stream is there when the bus has its match rule: no signal can be missed.
const client = await join();
const greetings = await client.signals({ ...PLACE, sender: NAME, member: "Greeted" });
const greet = { ...PLACE, destination: NAME, member: "Greet" };
const reply = await client.call({ ...greet, signature: "s", body: ["world"] }, { timeoutMs: 1000 });
console.log("reply ", ...reply.body);
for await (const { body } of greetings) {
  console.log("signal", ...body);
  break; // leaving the loop removes the match rule
}

try {
  await client.call({ ...greet, member: "Insult" });
} catch (error) {
  if (!(error instanceof DBusError)) throw error;
  console.log("error ", error.errorName);
}

await client.close();
await service.close();
