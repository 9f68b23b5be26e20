/** The collaboration server, behind the page's own origin (`vite.config.ts`). */
export const collabUrl = `${location.origin.replace(/^http/, "ws")}/collab`;
