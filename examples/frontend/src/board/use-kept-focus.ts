import { type FocusEvent, type RefObject, useLayoutEffect, useRef } from "react";

export interface KeptFocus {
  readonly ref: RefObject<HTMLDivElement | null>;
  readonly onFocus: (event: FocusEvent) => void;
  readonly onBlur: (event: FocusEvent) => void;
}

interface Place {
  readonly element: Element;
  readonly task: string;
  readonly column: Element | null;
  /** Among the card's controls. */
  readonly control: number;
  readonly isByKeyboard: boolean;
}

const CONTROLS = "button, input, select";

/**
 * Who works with the keyboard stays where they are when a card moves, by their hand or somebody else's: in another column it is another element, and the browser puts the
 * focus at the top of the page. Where the card is deleted it is at the column's heading: on the next card, the next key would be for a task that was not meant.
 */
export function useKeptFocus(): KeptFocus {
  const ref = useRef<HTMLDivElement>(null);
  const place = useRef<Place>(null);

  useLayoutEffect(() => {
    const { current: lost } = place;
    if (!lost || lost.element.isConnected) return;
    place.current = null;
    // Whoever has clicked elsewhere meanwhile is there.
    if (document.activeElement !== document.body) return;
    const card = ref.current?.querySelector(`[data-task="${CSS.escape(lost.task)}"]`);
    const control = card?.querySelectorAll<HTMLElement>(CONTROLS)[lost.control];
    const heading = lost.column?.querySelector("h2");
    // With a finger or a mouse the eye stays where it is: a phone would scroll to where the task went.
    (card ? control : heading)?.focus({ preventScroll: !lost.isByKeyboard });
  });

  return {
    ref,
    onFocus: ({ target: element }) => {
      const card = element.closest<HTMLElement>("[data-task]");
      const task = card?.dataset["task"];
      if (!card || task === undefined) return;
      const control = [...card.querySelectorAll(CONTROLS)].indexOf(element);
      const isByKeyboard = element.matches(":focus-visible");
      place.current = { element, task, column: element.closest("section"), control, isByKeyboard };
    },
    // React says nothing of those that come from its own changes.
    onBlur: ({ target }) => {
      // While the window is behind another its focus stays where it is.
      if (document.activeElement !== target) place.current = null;
    },
  };
}
