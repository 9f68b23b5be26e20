import { openPostgresStore } from "../../storage/postgres-store.ts";
import { ThreadedStore } from "../../storage/threaded-store.ts";
import { usePostgres } from "../support/postgres.ts";
import { storeContract } from "./store-contract.ts";

const postgres = usePostgres();
const newPlace = (): string => postgres.newDatabase();

storeContract("Postgres", { durable: true, newPlace, open: openPostgresStore });
storeContract("Postgres in the worker", {
  durable: true,
  newPlace,
  open: (databaseUrl) => new ThreadedStore({ databaseUrl }),
});
