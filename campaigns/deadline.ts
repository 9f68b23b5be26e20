/** @throws an Error that says what it waited for. A campaign ends by itself, whatever hangs. */
export async function within<T>(ms: number, what: () => string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`Waited ${ms} ms in vain: ${what()}`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
