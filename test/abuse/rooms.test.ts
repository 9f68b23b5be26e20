/** Who crowds a room, or opens more rooms than one socket should. */
import { MessageType } from "@hocuspocus/server";
import jwt from "jsonwebtoken";
import { expect, test } from "vitest";
import { jwtSecret } from "../support/backend.ts";
import { connect } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const SEATS = 5;

test("[M3] of a crowd that comes at once exactly as many get in as may, however long the room takes to load", async () => {
  const loading = Promise.withResolvers<void>();
  const slow = { onLoadDocument: async () => loading.promise };
  const server = await startComposition({ MAX_CONNECTIONS_PER_ROOM: String(SEATS) }, [slow]);
  const crowd = await Promise.all(Array.from({ length: 20 }, () => new RawClient(server.url).opened()));
  for (const client of crowd) client.login("room");
  const denied = async (): Promise<number> => {
    await Promise.all(crowd.map((client) => client.caughtUp()));
    return server.log.events("refused").filter((line) => line["reason"] === "room-full").length;
  };
  await until("the others refused", async () => (await denied()) === crowd.length - SEATS);
  loading.resolve();
  await until("inside", () => server.rooms.documents.get("room")?.getConnectionsCount() === SEATS);
  // The refusal is final for the room, and the socket stays.
  expect(crowd.map(({ close }) => close)).toEqual(crowd.map(() => null));
});

test.for([0, 1, 7])(
  "[M3] so does a crowd whose logins are answered in the same turn, %i steps after each other",
  async (steps) => {
    const answer = Promise.withResolvers<void>();
    let asked = 0;
    const backend = {
      async onAuthenticate({ token }: { token: string }): Promise<void> {
        if (token !== "crowd") return;
        const before = asked++;
        await answer.promise;
        for (let step = 0; step < before * steps; step++) await Promise.resolve();
      },
    };
    const server = await startComposition({ MAX_CONNECTIONS_PER_ROOM: String(SEATS) }, [backend]);
    await connect({ url: server.url, name: "room" }).saved();
    const crowd = await Promise.all(Array.from({ length: 20 }, () => new RawClient(server.url).opened()));
    for (const client of crowd) client.login("room", { token: "crowd" });
    await until("all asked", () => asked === crowd.length);
    answer.resolve();
    const refusals = (): number =>
      server.log.events("refused").filter((line) => line["reason"] === "room-full").length;
    const inside = (): number => server.rooms.documents.get("room")?.connections.size ?? 0;
    await until("all answered", () => refusals() + inside() === crowd.length + 1);
    expect(inside()).toBe(SEATS);
  },
);

test("[M3] a full room refuses for good, goes on for those inside, and has a seat for the next once one leaves", async () => {
  const server = await startComposition({ MAX_CONNECTIONS_PER_ROOM: "3" });
  const bystanders = await Bystanders.join(server.url);
  await bystanders.during(
    (async () => {
      const last = connect({ url: server.url, name: "room" });
      await last.saved();
      const late = connect({ url: server.url, name: "room" });
      expect(await late.denied()).toBe("room-full");
      expect(late.closes).toEqual([]);
      last.leave();
      await until("left", () => server.rooms.documents.get("room")?.getConnectionsCount() === 2);
      await connect({ url: server.url, name: "room" }).saved();
    })(),
  );
});

test("[M3] somebody without a right to it is not told that a room is full", async () => {
  const server = await startComposition({ MAX_CONNECTIONS_PER_ROOM: "1", JWT_SECRET: jwtSecret });
  const token = jwt.sign({ sub: "ana", rooms: { room: "write" } }, jwtSecret);
  await connect({ url: server.url, name: "room", token }).saved();
  const stranger = connect({ url: server.url, name: "room", token: "x" });
  expect(await stranger.denied()).toBe("token-invalid");
});

test("[M4] a room too many on one socket is refused, the others on it go on, and a room that is left makes place", async () => {
  const server = await startComposition({ MAX_ROOMS_PER_CONNECTION: "3" });
  const bystanders = await Bystanders.join(server.url);
  await bystanders.during(
    (async () => {
      const client = await new RawClient(server.url).opened();
      for (const room of ["a", "b", "c", "d"]) client.login(room);
      await client.refused("d", "too-many-rooms");
      for (const room of ["a", "b", "c"]) {
        client.firstSync(room);
        await client.received(room, MessageType.Sync);
      }
      client.send("a", MessageType.CLOSE, () => {});
      await client.received("a", MessageType.CLOSE);
      client.login("e");
      client.firstSync("e");
      await client.received("e", MessageType.Sync);
      expect(client.close).toBeNull();
    })(),
  );
});
