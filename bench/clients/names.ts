/** What the service and the clients under test have agreed on; tools/sdbus-client.c says the same. */

export const SERVICE_NAME = "org.example.Measured";
export const PATH = "/org/example/Measured";
export const INTERFACE = "org.example.Measured";
export const CALL_TEXT = "a text of thirty-two characters.";
export const SIGNAL_TEXT: string = CALL_TEXT;
export const SIGNAL_RULE: string = `type='signal',interface='${INTERFACE}',member='Measured'`;
