package sidecar;

import com.wardkeeper.pep.json.Json;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Plays the issuer of the persons' tokens. */
final class Tokens {
  private final KeyPair known = pair();
  private final KeyPair other = pair();

  private static KeyPair pair() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String encoded(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  private static String number(BigInteger number) {
    byte[] bytes = number.toByteArray();
    byte[] fixed = new byte[32];
    int count = Math.min(bytes.length, 32);
    System.arraycopy(bytes, bytes.length - count, fixed, 32 - count, count);
    return encoded(fixed);
  }

  byte[] keySet() {
    ECPublicKey key = (ECPublicKey) known.getPublic();
    Map<String, Object> jwk =
        Map.of(
            "kty", "EC",
            "crv", "P-256",
            "kid", "k1",
            "x", number(key.getW().getAffineX()),
            "y", number(key.getW().getAffineY()));
    return Json.write(Map.of("keys", List.of(jwk)));
  }

  /** Returns a token of a person: a valid one, or one that is "expired" or "forged". */
  String sign(String person, String kind, Map<String, Object> more) {
    long now = System.currentTimeMillis() / 1000;
    Map<String, Object> claims = new LinkedHashMap<>(more);
    claims.put("iss", "https://idp.example.org");
    claims.put("aud", "user-admin");
    claims.put("sub", person);
    claims.put("exp", kind.equals("expired") ? now - 3600 : now + 3600);
    String text =
        encoded(Json.write(Map.of("alg", "ES256", "kid", "k1")))
            + "."
            + encoded(Json.write(claims));
    try {
      Signature signing = Signature.getInstance("SHA256withECDSAinP1363Format");
      signing.initSign((kind.equals("forged") ? other : known).getPrivate());
      signing.update(text.getBytes(StandardCharsets.UTF_8));
      return text + "." + encoded(signing.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
