import { MessageType } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";

/** The first provider version that knows message type 9; an older one would log an error. */
const FIRST_VERSION_WITH_PING = 4;

/** Whether the provider that sent this login answers the application-level Ping. It says its version behind the token. */
export function answersPing(login: Uint8Array): boolean {
  try {
    const decoder = decoding.createDecoder(login);
    decoding.readVarString(decoder);
    if (decoding.readVarUint(decoder) !== MessageType.Auth) return false;
    decoding.readVarUint(decoder);
    decoding.readVarString(decoder);
    return Number.parseInt(decoding.readVarString(decoder), 10) >= FIRST_VERSION_WITH_PING;
  } catch {
    return false;
  }
}
