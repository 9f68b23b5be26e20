/**
 * One address for the page: the backend is behind /api and the collaboration server behind /collab, as behind a proxy in production. So the page
 * needs to know no other host.
 */
import react from "@vitejs/plugin-react";
import { defineConfig, type ProxyOptions } from "vite";

const backend = process.env["BACKEND_URL"] ?? "http://127.0.0.1:3000";
const collab = process.env["COLLAB_URL"] ?? "http://127.0.0.1:4000";

const proxy: Record<string, ProxyOptions> = {
  "/api": { target: backend, rewrite: (path) => path.replace(/^\/api/, "") },
  // xfwd: with TRUST_PROXY=1 the server counts by the address of the browser, not of this proxy.
  "/collab": { target: collab, ws: true, xfwd: true, rewrite: (path) => path.replace(/^\/collab/, "/") },
};

const server = { port: Number(process.env["PORT"] ?? 5173), strictPort: true, proxy };

export default defineConfig({
  plugins: [react()],
  server,
  preview: server,
  // One page, one file: React, Yjs, the editor and dragging are needed at once (240 kB compressed).
  build: { chunkSizeWarningLimit: 900 },
  // Two copies of Yjs in one page do not understand each other's documents.
  resolve: { dedupe: ["yjs", "y-protocols", "@codemirror/state", "@codemirror/view"] },
});
