package faceveil.serving;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Stands in one connection between the HTTP codec and the server: counts requests until their
 * answers are written, and refuses new ones once the server is told to stop.
 *
 * <p>A form's content type is taken off: many clients send it with plain bytes, which the server
 * would take apart as a form, or fail to.
 */
class Requests extends ChannelDuplexHandler {
    private static final AtomicInteger IN_FLIGHT = new AtomicInteger();
    private static volatile boolean refusing;

    private int here;
    private boolean refused;

    static void refuseNew() {
        refusing = true;
    }

    static int inFlight() {
        return IN_FLIGHT.get();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
        if (message instanceof HttpRequest) {
            refused = refusing;
            if (!refused) {
                here++;
                IN_FLIGHT.incrementAndGet();
                takeAsBytes((HttpRequest) message);
            }
        }
        if (!refused) {
            super.channelRead(ctx, message);
            return;
        }
        // the body is read to its end: a client that is still sending would not see the answer
        boolean complete = message instanceof LastHttpContent;
        ReferenceCountUtil.release(message);
        if (complete) {
            refuse(ctx);
        }
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise)
            throws Exception {
        boolean answer =
                message instanceof HttpResponse
                        && !((HttpResponse) message).status().equals(HttpResponseStatus.CONTINUE);
        ChannelPromise written = answer ? promise.unvoid() : promise;
        if (answer) {
            written.addListener(
                    future -> {
                        if (here > 0) {
                            here--;
                            IN_FLIGHT.decrementAndGet();
                        }
                    });
        }
        super.write(ctx, message, written);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) throws Exception {
        IN_FLIGHT.addAndGet(-here);
        here = 0;
        super.channelInactive(ctx);
    }

    private static void takeAsBytes(HttpRequest request) {
        String contentType = request.headers().get(HttpHeaderNames.CONTENT_TYPE, "").trim();
        if (contentType.regionMatches(true, 0, "application/x-www-form-urlencoded", 0, 33)
                || contentType.regionMatches(true, 0, "multipart/", 0, 10)) {
            request.headers()
                    .set(
                            HttpHeaderNames.CONTENT_TYPE,
                            HttpHeaderValues.APPLICATION_OCTET_STREAM);
        }
    }

    private static void refuse(ChannelHandlerContext ctx) {
        FullHttpResponse answer =
                new DefaultFullHttpResponse(
                        HttpVersion.HTTP_1_1, HttpResponseStatus.SERVICE_UNAVAILABLE);
        answer.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
        answer.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        ctx.writeAndFlush(answer).addListener(ChannelFutureListener.CLOSE);
    }
}
