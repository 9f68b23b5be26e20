/** Apart from the webhook's module, which needs the rights that in turn need this. */
import { Module } from "@nestjs/common";
import { CollabServer } from "./collab-server.js";

@Module({ providers: [CollabServer], exports: [CollabServer] })
export class CollabServerModule {}
