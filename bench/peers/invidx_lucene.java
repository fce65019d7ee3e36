// Lucene 8, BM25, positions and frequencies, no stored text: a peer of bench_invidx. The program's lines:
//   invidx_lucene DOCS QUERIES DIR      DOCS: a document a line; QUERIES: class TAB words a line
//   index            -> seconds of adding and committing, seconds of forceMerge(1), bytes
//   run CLASS K MODE -> qps p50_us p99_us of one pass; MODE 0 may skip (block-max WAND), 1 scores every hit
//   count CLASS      -> qps and the sum of exact matches
// peer-package: liblucene8-java
import java.io.*;
import java.nio.file.*;
import java.util.*;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.document.*;
import org.apache.lucene.index.*;
import org.apache.lucene.search.*;
import org.apache.lucene.store.*;

public class InvidxLucene {
    static List<String> docs;
    static Map<String, List<Query>> queries = new HashMap<>();
    static IndexSearcher searcher;

    static long size(Path p) throws IOException {
        long s = 0;
        try (var d = Files.newDirectoryStream(p)) { for (Path x : d) s += Files.size(x); }
        return s;
    }

    static String index(Path p) throws IOException {
        if (Files.exists(p)) try (var d = Files.newDirectoryStream(p)) { for (Path x : d) Files.delete(x); }
        long t = System.nanoTime();
        IndexWriterConfig c = new IndexWriterConfig(new WhitespaceAnalyzer());
        c.setRAMBufferSizeMB(256);
        c.setMergeScheduler(new SerialMergeScheduler());
        IndexWriter w = new IndexWriter(new MMapDirectory(p), c);
        FieldType ft = new FieldType();
        ft.setIndexOptions(IndexOptions.DOCS_AND_FREQS_AND_POSITIONS);
        ft.setTokenized(true);
        ft.freeze();
        Document d = new Document();
        Field f = new Field("x", "", ft);
        d.add(f);
        for (String s : docs) { f.setStringValue(s); w.addDocument(d); }
        w.commit();
        double added = (System.nanoTime() - t) / 1e9;
        t = System.nanoTime();
        w.forceMerge(1);
        w.commit();
        double merged = (System.nanoTime() - t) / 1e9;
        w.close();
        searcher = new IndexSearcher(DirectoryReader.open(new MMapDirectory(p)));
        searcher.setQueryCache(null);
        return String.format(Locale.ROOT, "%.4f %.4f %d", added, merged, size(p));
    }

    static Query query(String cl, String text) {
        String[] w = text.split(" ");
        if (w.length == 1) return new TermQuery(new Term("x", w[0]));
        if (cl.startsWith("phrase")) return new PhraseQuery("x", w);
        var b = new BooleanQuery.Builder();
        for (String y : w)
            b.add(new TermQuery(new Term("x", y)), cl.startsWith("or") ? BooleanClause.Occur.SHOULD : BooleanClause.Occur.MUST);
        return b.build();
    }

    static long one(Query q, int k, boolean exhaustive) throws IOException {
        TopDocs t;
        if (exhaustive) {
            TopScoreDocCollector c = TopScoreDocCollector.create(k, Integer.MAX_VALUE);
            searcher.search(q, c);
            t = c.topDocs();
        } else t = searcher.search(q, k);
        long h = 0;
        for (var d : t.scoreDocs) h += d.doc;
        return h;
    }

    static long sink;

    static String run(String cl, int k, boolean exhaustive) throws IOException {
        List<Query> qs = queries.get(cl);
        long[] ns = new long[qs.size()];
        long t = System.nanoTime();
        for (int i = 0; i < qs.size(); i++) {
            long b = System.nanoTime();
            sink += one(qs.get(i), k, exhaustive);
            ns[i] = System.nanoTime() - b;
        }
        double s = (System.nanoTime() - t) / 1e9;
        Arrays.sort(ns);
        return String.format(Locale.ROOT, "%.3f %.3f %.3f", qs.size() / s, ns[ns.length / 2] / 1e3, ns[ns.length * 99 / 100] / 1e3);
    }

    static String count(String cl) throws IOException {
        long n = 0, t = System.nanoTime();
        for (Query q : queries.get(cl)) n += searcher.count(q);
        return String.format(Locale.ROOT, "%.3f %d", queries.get(cl).size() / ((System.nanoTime() - t) / 1e9), n);
    }

    public static void main(String[] a) throws Exception {
        docs = Files.readAllLines(Paths.get(a[0]));
        for (String l : Files.readAllLines(Paths.get(a[1]))) {
            String[] p = l.split("\t");
            queries.computeIfAbsent(p[0], x -> new ArrayList<>()).add(query(p[0], p[1]));
        }
        System.out.println("ready Lucene " + org.apache.lucene.util.Version.LATEST);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String l; (l = in.readLine()) != null && !l.equals("quit");) {
            String[] w = l.split(" ");
            try {
                if (w[0].equals("index")) { System.out.println(index(Paths.get(a[2]))); }
                else if (w[0].equals("free")) { docs = null; System.gc(); System.out.println("0"); }
                else if (w[0].equals("run")) System.out.println(run(w[1], Integer.parseInt(w[2]), w[3].equals("1")));
                else if (w[0].equals("count")) System.out.println(count(w[1]));
                else System.out.println("error unknown command");
            } catch (Exception e) { System.out.println("error " + e); }
        }
    }
}
