package samples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Compiles mutants: their first argument is the folder of the sources, and each other one a copy in
 * which one file differs. Its classes go into the copy's folder {@code changed}. To start a
 * compiler for each would take most of the time.
 */
final class CompileMutants {
  private CompileMutants() {}

  public static void main(String[] arguments) throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    Path original = Path.of(arguments[0]);
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      for (String copy : List.of(arguments).subList(1, arguments.length)) {
        Path changed = Files.createDirectory(Path.of(copy, "changed"));
        List<String> options = List.of("-proc:none", "-nowarn", "-d", changed.toString());
        var sources = files.getJavaFileObjectsFromPaths(differing(Path.of(copy), original));
        if (!compiler.getTask(null, files, null, options, null, sources).call()) {
          System.exit(1);
        }
      }
    }
  }

  private static List<Path> differing(Path copy, Path original) throws IOException {
    try (Stream<Path> found = Files.walk(copy)) {
      List<Path> all = found.filter(file -> file.toString().endsWith(".java")).toList();
      for (Path file : all) {
        if (Files.mismatch(file, original.resolve(copy.relativize(file))) >= 0) {
          return List.of(file);
        }
      }
    }
    throw new IOException(copy + " is unchanged");
  }
}
