import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { ErrorBoundary } from "./error-boundary.tsx";
import "./styles/base.css";
import "./styles/login.css";
import "./styles/side-bar.css";
import "./styles/board.css";
import "./styles/task.css";

const root = document.querySelector("#root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <ErrorBoundary>
      <App />
    </ErrorBoundary>
  </StrictMode>,
);

// In development the files change all the time. Where there can be none (an address without https), the page only does not open offline.
if (import.meta.env.PROD) void navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
