package com.wardkeeper.pep.identity;

import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.EdECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.util.Map;

/**
 * A public key of a set. The id and the algorithm are empty if the set does not say.
 *
 * @param id names the key
 * @param algorithm the only one that it is for
 * @param key the key
 */
record Key(String id, String algorithm, PublicKey key) {
  /** The bytes of a coordinate, by the algorithm. */
  private static final Map<String, Integer> COORDINATES =
      Map.of("ES256", 32, "ES384", 48, "ES512", 66);

  /** Tells whether the key may have made a signature with this algorithm, and by this name. */
  boolean matches(String wanted, String keyId) {
    return (keyId.isEmpty() || id.equals(keyId))
        && (algorithm.isEmpty() || algorithm.equals(wanted))
        && fits(wanted);
  }

  /** Tells whether the key has the type and the curve that an algorithm needs. */
  private boolean fits(String wanted) {
    if (key instanceof RSAPublicKey) {
      return wanted.startsWith("RS") || wanted.startsWith("PS");
    }
    if (key instanceof ECPublicKey curve) {
      int bytes = (curve.getParams().getCurve().getField().getFieldSize() + 7) / 8;
      return Integer.valueOf(bytes).equals(COORDINATES.get(wanted));
    }
    return key instanceof EdECPublicKey && wanted.equals("EdDSA");
  }

  /** Tells whether the key has signed a text. */
  boolean hasSigned(String wanted, byte[] text, byte[] signature) {
    try {
      Signature verifying = verifying(wanted, signature);
      if (verifying == null) {
        return false;
      }
      verifying.initVerify(key);
      verifying.update(text);
      return verifying.verify(signature);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }

  private Signature verifying(String wanted, byte[] signature) throws GeneralSecurityException {
    if (wanted.equals("EdDSA")) {
      return Signature.getInstance("Ed25519");
    }
    int bits = Integer.parseInt(wanted.substring(2));
    if (wanted.startsWith("PS")) {
      Signature verifying = Signature.getInstance("RSASSA-PSS");
      String hash = "SHA-" + bits;
      verifying.setParameter(
          new PSSParameterSpec(hash, "MGF1", new MGF1ParameterSpec(hash), bits / 8, 1));
      return verifying;
    }
    if (wanted.startsWith("RS")) {
      return Signature.getInstance("SHA" + bits + "withRSA");
    }
    int size = COORDINATES.get(wanted);
    // Some releases of Java accept zeros for any text.
    boolean isOne =
        signature.length == 2 * size && hasOne(signature, 0, size) && hasOne(signature, size, size);
    return isOne ? Signature.getInstance("SHA" + bits + "withECDSAinP1363Format") : null;
  }

  private static boolean hasOne(byte[] bytes, int start, int length) {
    for (int i = start; i < start + length; i++) {
      if (bytes[i] != 0) {
        return true;
      }
    }
    return false;
  }
}
