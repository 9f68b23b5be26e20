import { Component, type ReactNode } from "react";

/** A fault of the page ends in words and not in a white screen. Edits are in the document and on the device, not in what is shown. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <main className="login" role="alert">
        <h1>This page has a fault</h1>
        <p>Load it again. What was kept on this device is still there.</p>
        <button type="button" onClick={() => location.reload()}>
          Load again
        </button>
      </main>
    );
  }
}
