package samples;

import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.servlet.WardkeeperFilter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;

/** The sample application with the servlet filter, served by Tomcat. */
final class TomcatSample {
  private TomcatSample() {}

  public static void main(String[] arguments) throws Exception {
    Path folder = Files.createTempDirectory("tomcat");
    folder.toFile().deleteOnExit();
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(folder.toString());
    Connector connector = new Connector();
    connector.setPort(Sample.port());
    connector.setProperty("address", "127.0.0.1");
    // Tomcat refuses less by itself, so that the suite sees what the filter refuses.
    connector.setProperty("relaxedPathChars", "\"<>[\\]^`{|}");
    connector.setProperty("relaxedQueryChars", "\"<>[\\]^`{|}");
    connector.setProperty("encodedSolidusHandling", "decode");
    connector.setProperty("allowBackslash", "true");
    tomcat.setConnector(connector);
    Context context = tomcat.addContext("", folder.toString());
    ((StandardContext) context).setClearReferencesRmiTargets(false);
    Checker checker = Sample.checker();
    FilterDef filter = new FilterDef();
    filter.setFilterName("wardkeeper");
    filter.setFilter(new WardkeeperFilter(checker));
    filter.setAsyncSupported("true");
    context.addFilterDef(filter);
    FilterMap everything = new FilterMap();
    everything.setFilterName("wardkeeper");
    everything.addURLPattern("/*");
    context.addFilterMap(everything);
    Tomcat.addServlet(context, "pages", new Sample.Pages(checker));
    context.addServletMappingDecoded("/", "pages");
    tomcat.start();
    tomcat.getServer().await();
  }
}
