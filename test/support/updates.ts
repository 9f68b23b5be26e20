import * as Y from "yjs";

/** The updates of somebody typing letter by letter. */
export function typed(text: string, clientID?: number): Uint8Array[] {
  const doc = new Y.Doc();
  if (clientID !== undefined) doc.clientID = clientID;
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (const letter of text) doc.getText("text").insert(doc.getText("text").length, letter);
  return updates;
}
