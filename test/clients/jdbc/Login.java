// Logs in by JDBC with each of the connection Secrets that are mounted below a folder, and knows nothing but the key `jdbc-uri`.
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

public class Login {
  /** Prints a line for each: its folder, the way, `ok` or `error`, and in base64 who it is where, or what went wrong. */
  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    List<Path> secrets;
    try (Stream<Path> found = Files.list(Path.of(args[0]))) {
      secrets = found.sorted().collect(Collectors.toList());
    }
    for (Path secret : secrets) {
      String result;
      String text;
      try (Connection connection = DriverManager.getConnection(Files.readString(secret.resolve("jdbc-uri")));
          Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SELECT current_user || ' in ' || current_database()")) {
        rows.next();
        result = "ok";
        text = rows.getString(1);
      } catch (Exception error) {
        result = "error";
        text = String.valueOf(error.getMessage());
      }
      String encoded = Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
      out.println(String.join("\t", secret.getFileName().toString(), "jdbc-uri", result, encoded));
    }
  }
}
