/** How long, and how many at a time, connections may take to say who they are. */

import { limit, useLimits } from "./support/limited-bus.ts";

useLimits({ auth_timeout: 300, max_incomplete_connections: 3 });

limit("Who does not say Hello in time is disconnected", "auth_timeout", async (scene) => {
  const silent = await scene.client({ until: "nothing" });
  const begun = await scene.client({ until: "begin" });
  await silent.disconnected();
  await begun.disconnected();
});

limit(
  "Who comes while too many have not said Hello waits until one of them is gone",
  "max_incomplete_connections",
  async (scene) => {
    const silent = [];
    for (let count = 0; count < 5; count++) silent.push(await scene.client({ until: "nothing" }));
    await scene.client();
    for (const client of silent) await client.disconnected();
  },
);
