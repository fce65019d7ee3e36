/* Xapian 1.4 (glass), BM25 with k1 1.2 and b 0.75, compacted: a peer of bench_invidx.
 * peer-libs: -lxapian
 * peer-package: libxapian-dev
 *
 * The lines it answers are those of invidx_lucene.java.                                                 */
#include <xapian.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "bench/common/peer.h"

using namespace std;

static vector<string> split(const string &s)
{
    vector<string> out;
    stringstream in(s);
    string w;

    while (in >> w)
        out.push_back(w);
    return out;
}

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    map<string, vector<Xapian::Query>> queries;
    string line, dir = string(argv[3]) + ".xapian", raw = dir + ".raw";
    ifstream q(argv[2]);
    Xapian::Database *db = nullptr;
    char command[256], cls[64];
    int k, mode;

    while (getline(q, line)) {
        size_t tab = line.find('\t');
        string c = line.substr(0, tab);
        vector<string> w = split(line.substr(tab + 1));
        auto op = c.rfind("or", 0) == 0       ? Xapian::Query::OP_OR
                  : c.rfind("phrase", 0) == 0 ? Xapian::Query::OP_PHRASE
                                              : Xapian::Query::OP_AND;

        queries[c].push_back(w.size() == 1 ? Xapian::Query(w[0])
                                           : Xapian::Query(op, w.begin(), w.end()));
    }
    peer_ready(Xapian::version_string());
    while (peer_line(command, sizeof command)) {
        if (string(command) == "index") {
            filesystem::remove_all(raw);
            filesystem::remove_all(dir);
            ifstream in(argv[1]);
            uint64_t t = peer_now_ns();
            {
                Xapian::WritableDatabase w(raw,
                                           Xapian::DB_CREATE_OR_OVERWRITE | Xapian::DB_NO_SYNC);

                while (getline(in, line)) {
                    Xapian::Document d;
                    Xapian::termpos pos = 0;

                    for (auto &word : split(line))
                        d.add_posting(word.substr(0, 200), ++pos);
                    w.add_document(d);
                }
                w.commit();
            }
            double added = (peer_now_ns() - t) / 1e9;
            t = peer_now_ns();
            Xapian::Database(raw).compact(dir);
            double merged = (peer_now_ns() - t) / 1e9;
            uintmax_t bytes = 0;

            for (auto &f : filesystem::directory_iterator(dir))
                bytes += f.file_size();
            db = new Xapian::Database(dir);
            peer_reply("%.4f %.4f %ju", added, merged, bytes);
        } else if (string(command) == "free") {
            peer_reply("0");
        } else if (sscanf(command, "run %63s %d %d", cls, &k, &mode) == 3) {
            vector<double> us;
            Xapian::Enquire e(*db);
            uint64_t t = peer_now_ns();

            e.set_weighting_scheme(Xapian::BM25Weight(1.2, 0, 1, 0.75, 0));
            for (auto &x : queries[cls]) {
                uint64_t b = peer_now_ns();

                e.set_query(x);
                e.get_mset(0, k);
                us.push_back((peer_now_ns() - b) / 1e3);
            }
            double s = (peer_now_ns() - t) / 1e9;
            sort(us.begin(), us.end());
            peer_reply("%.3f %.3f %.3f", us.size() / s, us[us.size() / 2],
                       us[us.size() * 99 / 100]);
        } else if (sscanf(command, "count %63s", cls) == 1) {
            Xapian::Enquire e(*db);
            uint64_t t = peer_now_ns(), total = 0;

            for (auto &x : queries[cls]) {
                e.set_query(x);
                e.set_weighting_scheme(Xapian::BoolWeight());
                total += e.get_mset(0, 0, db->get_doccount()).get_matches_estimated();
            }
            peer_reply("%.3f %llu", queries[cls].size() / ((peer_now_ns() - t) / 1e9),
                       (unsigned long long)total);
        } else {
            peer_reply("error unknown command");
        }
    }
    return 0;
}
