/** Which algorithm a public key checks. A key and an algorithm that do not fit would refuse every token, as if it were the users' fault. */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { Algorithm } from "jsonwebtoken";

const byCurve: Readonly<Record<string, Algorithm>> = {
  prime256v1: "ES256",
  secp384r1: "ES384",
  secp521r1: "ES512",
};

/** @throws with a sentence for the operator when the PEM is no key, or one of a kind that jsonwebtoken 9 cannot use. */
export function parsePublicKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new Error("must be a PEM public key");
  }
  if (key.asymmetricKeyType === "rsa" || byCurve[key.asymmetricKeyDetails?.namedCurve ?? ""]) return key;
  throw new Error(`must be an RSA key or an EC key on P-256, P-384 or P-521, not ${key.asymmetricKeyType}`);
}

/** The algorithm that is accepted where none is named. An EC key has exactly one, an RSA key several. */
export function algorithmOf(key: KeyObject): Algorithm {
  return byCurve[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "RS256";
}

/** Whether `algorithm` can be used with a key whose own is `keyAlgorithm`. */
export function isUsableWith(algorithm: Algorithm, keyAlgorithm: Algorithm): boolean {
  return keyAlgorithm === "RS256" ? /^[RP]S/.test(algorithm) : algorithm === keyAlgorithm;
}
