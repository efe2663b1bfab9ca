package com.wardkeeper.pep.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.routes.Jwt;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.EdECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class JwtVerifierTest {
  private static final long NOW = 1_900_000_000;
  private static final Clock CLOCK = Clock.fixed(Instant.ofEpochSecond(NOW), ZoneOffset.UTC);
  private static final KeyPair EC = pair("EC", "secp256r1");
  private static final KeyPair OTHER = pair("EC", "secp256r1");
  private static final KeyPair P384 = pair("EC", "secp384r1");
  private static final KeyPair P521 = pair("EC", "secp521r1");
  private static final KeyPair RSA = pair("RSA", "2048");
  private static final KeyPair SHORT = pair("RSA", "1024");
  private static final KeyPair ED = pair("Ed25519", "");

  @TempDir private Path folder;

  private static KeyPair pair(String type, String size) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance(type);
      if (type.equals("EC")) {
        generator.initialize(new ECGenParameterSpec(size));
      } else if (type.equals("RSA")) {
        generator.initialize(Integer.parseInt(size));
      }
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String encoded(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  private static String number(BigInteger number, int size) {
    byte[] bytes = number.toByteArray();
    byte[] fixed = new byte[size];
    int count = Math.min(bytes.length, size);
    System.arraycopy(bytes, bytes.length - count, fixed, size - count, count);
    return encoded(fixed);
  }

  private static Map<String, Object> jwk(KeyPair pair) {
    Map<String, Object> jwk = new LinkedHashMap<>();
    if (pair.getPublic() instanceof RSAPublicKey key) {
      jwk.put("kty", "RSA");
      jwk.put("n", number(key.getModulus(), key.getModulus().bitLength() / 8));
      jwk.put("e", number(key.getPublicExponent(), 3));
    } else if (pair.getPublic() instanceof ECPublicKey key) {
      int bits = key.getParams().getCurve().getField().getFieldSize();
      jwk.put("kty", "EC");
      jwk.put("crv", "P-" + bits);
      jwk.put("x", number(key.getW().getAffineX(), (bits + 7) / 8));
      jwk.put("y", number(key.getW().getAffineY(), (bits + 7) / 8));
    } else if (pair.getPublic() instanceof EdECPublicKey key) {
      byte[] all = key.getEncoded(); // the key is its last 32 bytes
      jwk.put("kty", "OKP");
      jwk.put("crv", "Ed25519");
      jwk.put("x", encoded(Arrays.copyOfRange(all, all.length - 32, all.length)));
    }
    jwk.put("kid", "k1");
    return jwk;
  }

  private static Map<String, Object> claims() {
    Map<String, Object> claims = new LinkedHashMap<>();
    claims.put("iss", "https://idp.example.org");
    claims.put("aud", "user-admin");
    claims.put("sub", "alice");
    claims.put("exp", NOW + 60);
    return claims;
  }

  private static String sign(
      KeyPair pair, String algorithm, Map<String, Object> header, byte[] claims) {
    String text = encoded(Json.write(header)) + "." + encoded(claims);
    try {
      Signature signing;
      String bits = algorithm.substring(2);
      switch (algorithm.substring(0, 2)) {
        case "ES" -> signing = Signature.getInstance("SHA" + bits + "withECDSAinP1363Format");
        case "RS" -> signing = Signature.getInstance("SHA" + bits + "withRSA");
        case "PS" -> {
          String hash = "SHA-" + bits;
          signing = Signature.getInstance("RSASSA-PSS");
          signing.setParameter(
              new PSSParameterSpec(
                  hash, "MGF1", new MGF1ParameterSpec(hash), Integer.parseInt(bits) / 8, 1));
        }
        default -> signing = Signature.getInstance("Ed25519");
      }
      signing.initSign(pair.getPrivate());
      signing.update(text.getBytes(StandardCharsets.UTF_8));
      return text + "." + encoded(signing.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String sign(KeyPair pair, String algorithm, Map<String, Object> claims) {
    return sign(pair, algorithm, Map.of("alg", algorithm, "kid", "k1"), Json.write(claims));
  }

  private static byte[] set(Map<?, ?>... keys) {
    return Json.write(Map.of("keys", List.of(keys)));
  }

  private JwtVerifier verifier(Map<?, ?>... keys) throws IOException {
    Path file = folder.resolve("keys.json");
    Files.write(file, set(keys));
    return verifier("", file.toString());
  }

  private static JwtVerifier verifier(String url, String file) {
    Jwt settings =
        new Jwt(url, file, "https://idp.example.org", "user-admin", Jwt.ALGORITHMS, "sub", "");
    return new JwtVerifier(settings, CLOCK);
  }

  private static String problem(TokenVerifier verifier, String token) {
    return assertThrows(TokenInvalidException.class, () -> verifier.verify(token)).getMessage();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
      })
  void algorithms(String algorithm) throws Exception {
    KeyPair pair =
        switch (algorithm) {
          case "ES256" -> EC;
          case "ES384" -> P384;
          case "ES512" -> P521;
          case "EdDSA" -> ED;
          default -> RSA;
        };
    JwtVerifier verifier = verifier(jwk(OTHER), jwk(P384), jwk(P521), jwk(RSA), jwk(ED), jwk(EC));
    String token = sign(pair, algorithm, claims());
    assertEquals("alice", verifier.verify(token).get("sub"));
    assertTrue(
        problem(verifier, token.substring(0, token.length() - 6) + "AAAAAA").contains("token"));
    Map<String, Object> bound = jwk(pair);
    bound.put("alg", "other");
    assertTrue(
        problem(verifier(bound, jwk(SHORT.equals(pair) ? EC : OTHER)), token).contains("token"));
  }

  @Test
  void claimsAreChecked() throws Exception {
    JwtVerifier verifier = verifier(jwk(EC));
    Map<String, List<?>> invalid =
        Map.of(
            "iss", Arrays.asList("https://other.example.org", null, 1),
            "aud", Arrays.asList("other", null, List.of("other"), 1, Map.of("user-admin", 1)),
            "exp", Arrays.asList(NOW - 60, null, "2000000000", true, 1L << 41),
            "nbf", Arrays.asList(NOW + 61, "0", true),
            "iat", Arrays.asList(NOW + 61, "0"));
    for (Map.Entry<String, List<?>> claim : invalid.entrySet()) {
      for (Object value : claim.getValue()) {
        Map<String, Object> claims = claims();
        claims.put(claim.getKey(), value);
        problem(verifier, sign(EC, "ES256", claims));
      }
    }
    Map<String, Object> claims = claims();
    claims.put("exp", NOW - 59);
    claims.put("nbf", NOW + 60);
    claims.put("aud", List.of("other", "user-admin"));
    verifier.verify(sign(EC, "ES256", claims));
  }

  @Test
  void headersAreChecked() throws Exception {
    JwtVerifier verifier = verifier(jwk(EC));
    byte[] claims = Json.write(claims());
    for (Map<String, Object> header :
        List.<Map<String, Object>>of(
            Map.of("alg", "ES256", "crit", List.of()),
            Map.of("alg", "ES256", "typ", "logout+jwt"),
            Map.of("alg", "ES256", "typ", 1),
            Map.of("alg", "ES256", "kid", 1),
            Map.of("alg", "ES256", "kid", "k2"),
            Map.of("alg", "none"),
            Map.of("alg", "HS256"),
            Map.of("kid", "k1"))) {
      problem(verifier, sign(EC, "ES256", header, claims));
    }
    verifier.verify(
        sign(EC, "ES256", Map.of("alg", "ES256", "typ", "at+jwt", "jku", "https://x"), claims));
    String twice = "{\"sub\":\"bob\"," + new String(claims, StandardCharsets.UTF_8).substring(1);
    problem(
        verifier,
        sign(EC, "ES256", Map.of("alg", "ES256"), twice.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void whatIsNoToken() throws Exception {
    JwtVerifier verifier = verifier(jwk(EC));
    String token = sign(EC, "ES256", claims());
    String[] parts = token.split("\\.", -1);
    for (String text :
        List.of(
            "",
            "a.b",
            token + ".",
            token + "=",
            parts[0] + "=." + parts[1] + "." + parts[2],
            parts[0] + "." + parts[1] + ".",
            parts[0] + "." + parts[1] + "." + encoded(new byte[64]),
            parts[0] + "." + parts[1] + "." + encoded(new byte[65]),
            "x".repeat(20_000))) {
      problem(verifier, text);
    }
    problem(verifier, sign(OTHER, "ES256", claims()));
  }

  @Test
  void keySets() throws Exception {
    Map<String, Object> known = jwk(EC);
    for (Map<String, Object> changes :
        List.<Map<String, Object>>of(
            Map.of("use", "enc"),
            Map.of("key_ops", List.of("sign")),
            Map.of("key_ops", "verify"),
            Map.of("d", "AA"),
            Map.of("kid", 1),
            Map.of("crv", "P-192"),
            Map.of("x", "AA"),
            Map.of("kty", "oct", "k", "AA"))) {
      Map<String, Object> other = new LinkedHashMap<>(known);
      other.putAll(changes);
      assertThrows(IOException.class, () -> KeySet.parse(set(other)), other.toString());
      assertEquals(1, KeySet.parse(set(other, known)).size());
    }
    assertThrows(IOException.class, () -> KeySet.parse(set(jwk(SHORT))));
    assertThrows(
        IOException.class, () -> KeySet.parse("{\"keys\":{}}".getBytes(StandardCharsets.UTF_8)));
    Map<?, ?>[] many = new Map<?, ?>[101];
    Arrays.fill(many, known);
    assertThrows(IOException.class, () -> KeySet.parse(set(many)));
  }

  @Test
  void aFileThatChanges() throws Exception {
    Path file = folder.resolve("keys.json");
    JwtVerifier verifier = verifier(jwk(EC));
    Files.writeString(file, "nothing");
    verifier.verify(sign(EC, "ES256", claims())); // the last good one
    Files.write(file, set(jwk(OTHER)));
    Files.setLastModifiedTime(file, FileTime.fromMillis(1));
    verifier.verify(sign(OTHER, "ES256", claims()));
    problem(verifier, sign(EC, "ES256", claims()));
    assertThrows(
        IllegalArgumentException.class, () -> verifier("", folder.resolve("none").toString()));
  }

  /** Verifies a token, and waits longer for the keys than a request would. */
  private static void patiently(JwtVerifier verifier, String token) throws Exception {
    while (true) {
      try {
        verifier.verify(token);
        return;
      } catch (KeysUnavailableException e) {
        Thread.sleep(20);
      }
    }
  }

  @Test
  void keysAreFetchedOnce() throws Exception {
    AtomicInteger fetches = new AtomicInteger();
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/jwks.json",
        exchange -> {
          fetches.incrementAndGet();
          byte[] body = set(jwk(EC));
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    try {
      String url = "http://127.0.0.1:" + server.getAddress().getPort();
      JwtVerifier verifier = verifier(url + "/jwks.json?v=1", "");
      patiently(verifier, sign(EC, "ES256", claims()));
      for (int i = 0; i < 3; i++) { // an invented key id causes no other
        problem(
            verifier,
            sign(EC, "ES256", Map.of("alg", "ES256", "kid", "k" + i + 2), Json.write(claims())));
      }
      assertEquals(1, fetches.get());
      JwtVerifier missing = verifier(url + "/none", "");
      assertThrows(
          KeysUnavailableException.class, () -> missing.verify(sign(EC, "ES256", claims())));
    } finally {
      server.stop(0);
    }
  }
}
