/**
 * Questions for everybody's state (QueryAwareness), which no provider of Hocuspocus' asks and which get no answer, as with Hocuspocus: who
 * comes in is shown who is there. But Hocuspocus (4.7) encodes all the states of the room before it finds that there is nowhere to send
 * them, some milliseconds for a message of ten bytes.
 */
import type { MessageHandler } from "../members/member-messages.ts";

export const awarenessQueries: MessageHandler = {
  hookNames: [],
  handle() {},
  async handleWithHooks() {},
};
