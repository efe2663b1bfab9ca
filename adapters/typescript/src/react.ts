// For pages in React: what not to offer is greyed out. What a button does is checked again by the application.

import { createContext, createElement, type ReactElement, type ReactNode, useContext, useEffect, useState } from "react";
import { type Asker, type AskerOptions, createAsker, type PageAsk } from "./browser.js";

export { confirming, type PageAsk, type ToConfirm } from "./browser.js";

const AskerContext = createContext<Asker | undefined>(undefined);

/** Says where the application answers with offers: <CanProvider url="/can">. */
export function CanProvider({ children, ...options }: AskerOptions & { children?: ReactNode }): ReactElement {
  const [asker] = useState(() => createAsker(options));
  return createElement(AskerContext.Provider, { value: asker }, children);
}

/** What {@link useCan} returns. */
export interface Can {
  /** By action, whether the person may do it: false until that is known. */
  can: Readonly<Record<string, boolean>>;
  loading: boolean;
  /** Why it could not be found out. Nothing is offered then. */
  error?: Error;
}

/**
 * Which of some actions the person may do: const { can } = useCan(["user.edit"], { resource: { id } }). What all parts of a page ask at
 * the same time is one request. again makes it ask again when it changes.
 */
export function useCan(actions: readonly string[], about: Omit<PageAsk, "action">, again?: string | number): Can {
  const asker = useContext(AskerContext);
  const key = JSON.stringify([actions, about, again ?? null]);
  const [state, setState] = useState<Can & { key: string }>({ key: "", can: {}, loading: true });
  // biome-ignore lint/correctness/useExhaustiveDependencies: key stands for actions and about, which are other objects at each rendering
  useEffect(() => {
    let current = true;
    const settle = (can: Record<string, boolean>, error?: Error) => {
      if (current) {
        setState({ key, can, loading: false, ...(error ? { error } : {}) });
      }
    };
    if (!asker) {
      settle({}, new Error("useCan needs a CanProvider around it"));
      return undefined;
    }
    asker(actions.map((action) => ({ ...about, action }))).then(
      (can) => settle(Object.fromEntries(actions.map((action, i) => [action, can[i] === true]))),
      (error: Error) => settle({}, error),
    );
    return () => {
      current = false;
    };
  }, [asker, key]);
  return state.key === key ? state : { can: {}, loading: true };
}
