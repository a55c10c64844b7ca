package faceveil.serving;

import com.amazonaws.ml.mms.ModelServer;
import com.amazonaws.ml.mms.servingsdk.impl.PluginsManager;
import com.amazonaws.ml.mms.util.ConfigManager;
import com.amazonaws.ml.mms.util.Connector;
import com.amazonaws.ml.mms.util.ConnectorType;
import com.amazonaws.ml.mms.wlm.ModelManager;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.Slf4JLoggerFactory;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.apache.commons.cli.DefaultParser;

/**
 * multi-model-server that ends well: told to stop, it takes no new requests and exits when those in
 * flight are answered. The original exits at once and drops them.
 */
public final class Server extends ModelServer {
    private static final int LARGEST_READ = 1 << 20;

    private final List<Channel> listeners = new CopyOnWriteArrayList<>();

    private Server(ConfigManager configuration) {
        super(configuration);
    }

    public static void main(String[] arguments) {
        try {
            ConfigManager.init(
                    new ConfigManager.Arguments(
                            new DefaultParser()
                                    .parse(ConfigManager.Arguments.getOptions(), arguments)));
            PluginsManager.getInstance().initialize();
            InternalLoggerFactory.setDefaultFactory(Slf4JLoggerFactory.INSTANCE);
            Server server = new Server(ConfigManager.getInstance());
            Runtime.getRuntime().addShutdownHook(new Thread(server::drain, "drain"));
            server.start();
            if (ModelManager.getInstance().getStartupModels().isEmpty()) {
                throw new IllegalStateException("the model could not be registered");
            }
            new CountDownLatch(1).await();
        } catch (Throwable problem) {
            problem.printStackTrace();
            System.exit(1);
        }
    }

    @Override
    public ChannelFuture initializeServer(
            Connector connector,
            EventLoopGroup serverGroup,
            EventLoopGroup workerGroup,
            ConnectorType type)
            throws InterruptedException, IOException, GeneralSecurityException {
        ChannelFuture closed = super.initializeServer(connector, serverGroup, workerGroup, type);
        closed.channel().pipeline().addFirst(new Connections());
        listeners.add(closed.channel());
        return closed;
    }

    private void drain() {
        Requests.refuseNew();
        listeners.forEach(Channel::close);
        long end = System.nanoTime() + Integer.getInteger("faceveil.drainSeconds") * 1_000_000_000L;
        try {
            while (Requests.inFlight() > 0 && System.nanoTime() < end) {
                Thread.sleep(10);
            }
        } catch (InterruptedException problem) {
            Thread.currentThread().interrupt();
        }
        System.err.println("faceveil serve: stopped, " + Requests.inFlight() + " in flight");
    }

    /** Sees each new connection before the server sets it up. */
    private static final class Connections extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object connection) throws Exception {
            ((Channel) connection).pipeline().addLast(new Setup());
            super.channelRead(ctx, connection);
        }
    }

    /** Waits until the server has put its handlers into a connection, and adds to them. */
    private static final class Setup extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRegistered(ChannelHandlerContext ctx) throws Exception {
            // the server reads 4096 bytes at a time, which is slow for pictures
            ctx.channel()
                    .config()
                    .setRecvByteBufAllocator(
                            new AdaptiveRecvByteBufAllocator(4096, 65536, LARGEST_READ));
            ctx.pipeline().addAfter("http", "requests", new Requests());
            super.channelRegistered(ctx);
            ctx.pipeline().remove(this);
        }
    }
}
