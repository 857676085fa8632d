/**
 * What the clients under test call: `node service.js SOCKET` echoes the second argument of Echo, and answers Flood
 * behind as many signals as that argument says. Prints a line when it can be called.
 */

import { connect } from "../../client/index.ts";
import { INTERFACE, PATH, SERVICE_NAME, SIGNAL_TEXT } from "./names.ts";

const client = await connect(`unix:path=${process.argv[2] ?? ""}`);
client.onCall = (call) => {
  if (call.interface !== INTERFACE) return false;
  const [, number] = call.body;
  if (call.member === "Flood") {
    for (let i = 0; i < Number(number); i++) {
      void client.emit({
        path: PATH,
        interface: INTERFACE,
        member: "Measured",
        signature: "su",
        body: [SIGNAL_TEXT, i],
      });
    }
  }
  void client.reply(call, { signature: "u", body: [number] });
  return true;
};
await client.requestName(SERVICE_NAME);
console.log("ready");
